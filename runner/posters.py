"""Posters: a still picture beside each video, made from the video itself once it is home.

The picture is the first that is not black. An image-to-video film begins with the image that it was
made of, so that is what the film is about; a player that shows the poster doesn't jump when it
begins; and one picture is decoded instead of a tenth of all.
"""

from __future__ import annotations

import io
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from runner.errors import ConfigurationError
from runner.events import Event, Saved
from runner.jobs import Job
from runner.videos import put_beside

if TYPE_CHECKING:
    from PIL.Image import Image

EXTRA = "pip install 'image-to-video-runner[media]'"
AT_ONCE = 2  # threads; each keeps a core busy
PATIENCE = 10.0  # seconds at the end of a run for the posters that are still to be made
_FORMATS = {"jpg": ("JPEG", {"quality": 88}), "webp": ("WEBP", {"quality": 84})}
_MOST_PIXELS = 8192 * 8192
_MOST_FRAMES = 60  # a fade from black is over by then
_BLACK = 40  # of 255: in a black picture nothing is brighter
_DESCRIPTION = 270  # the number of Exif's ImageDescription

Observe = Callable[[Job, Event, Job], None]


class NoPosterError(Exception):
    """No picture can be made of the video; says why in words."""


def require_extra() -> None:
    """Raise `ConfigurationError` unless the libraries that draw posters are installed."""
    if not (find_spec("av") and find_spec("PIL")):
        raise ConfigurationError(f"`poster` needs the extra `media`: {EXTRA}")


def poster_path(job: Job, kind: str) -> Path:
    """Where a finished job's poster belongs: NAME.jpg beside NAME.mp4."""
    return Path(job.output).with_suffix(f".{kind}")


def has_poster(job: Job, kind: str) -> bool:
    """Whether this very video's poster is there."""
    return _marks_at(poster_path(job, kind), _mark(job.sha256))


def put_poster(job: Job, kind: str) -> str:
    """Put the poster beside the video, whole or not at all; why not, or "" when it is there.

    Only a poster of the runner's is ever replaced. Takes as long as a picture takes to decode.
    """
    path = poster_path(job, kind)
    if has_poster(job, kind):
        return ""
    try:
        data = draw(Path(job.output), kind, _mark(job.sha256))
    except NoPosterError as error:
        return f"{path}: no poster: {error}"
    return put_beside(path, data, ours=_marks_at(path, _mark("")), what="poster")


def draw(video: Path, kind: str, mark: str = "") -> bytes:
    """The poster of a video as a file's bytes, with a mark in it. Raises `NoPosterError`."""
    try:
        import av  # noqa: PLC0415 - an extra, and slow to import
        import av.logging  # noqa: PLC0415
        from PIL import Image  # noqa: PLC0415

        av.logging.set_level(av.logging.PANIC)  # a broken film is told of in our words
        picture = _picture(video)
        exif = Image.Exif()
        exif[_DESCRIPTION] = mark
        name, options = _FORMATS[kind]
        picture.save(target := io.BytesIO(), name, exif=exif, **options)
    except NoPosterError:
        raise
    except Exception as error:  # whatever decoders raise: the video is home, this is its picture
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise NoPosterError(words or type(error).__name__) from None
    return target.getvalue()


def _picture(video: Path) -> Image:
    """The first picture that is not black, or the first of all."""
    import av  # noqa: PLC0415 - an extra, and slow to import

    with av.open(str(video), format="mp4") as film:
        if not film.streams.video:
            raise NoPosterError("there is no picture in it")
        stream = film.streams.video[0]
        if stream.width * stream.height > _MOST_PIXELS:
            raise NoPosterError("its pictures are too large")
        first: Image | None = None
        for frame in islice(film.decode(stream), _MOST_FRAMES):
            picture: Image = frame.to_image()  # type: ignore[no-untyped-call] # PyAV's stubs are partial
            brightest = max(picture.convert("L").resize((64, 64)).tobytes())
            if brightest > _BLACK:
                return picture
            first = first or picture
    if first is None:
        raise NoPosterError("there is no picture in it")
    return first


def _mark(sha256: str) -> str:
    """What tells the runner's posters from other pictures, and of which video each is."""
    return f"runner: a still of the video with sha256 {sha256}"


def _marks_at(path: Path, mark: str) -> bool:
    try:
        return not path.is_symlink() and mark.encode() in path.read_bytes()
    except OSError:
        return False


class Posters:
    """Makes the poster of each video that comes home, a few at once, while the run goes on.

    `then` hears of every change: of a video's when its poster is there, of every other at once.
    """

    def __init__(self, kind: str, say: Callable[[str], None], then: Observe) -> None:
        self._kind = kind
        self._say = say
        self._then = then
        self._home: MemoryObjectSendStream[tuple[Job, Event, Job]] | None = None

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Take note of one change of the run."""
        if self._home is not None and isinstance(event, Saved):
            self._home.send_nowait((before, event, after))
        else:
            self._then(before, event, after)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Make posters until the end of the block, and for a little while those still waiting."""
        if not self._kind:
            yield
            return
        self._home, waiting = anyio.create_memory_object_stream[tuple[Job, Event, Job]](math.inf)
        with self._home, waiting:
            async with anyio.create_task_group() as group:
                for _ in range(AT_ONCE):
                    group.start_soon(self._serve, waiting)
                yield
                self._home.close()
                group.cancel_scope.deadline = anyio.current_time() + PATIENCE
            left = 0
            while waiting.statistics().current_buffer_used:
                self._then(*waiting.receive_nowait())
                left += 1
            if left:
                self._say(f"{left} posters are still to be made: `runner verify --posters`")

    async def _serve(self, waiting: MemoryObjectReceiveStream[tuple[Job, Event, Job]]) -> None:
        async for before, event, after in waiting:
            try:
                words = await anyio.to_thread.run_sync(put_poster, after, self._kind)
                if words:
                    self._say(words)
            finally:
                self._then(before, event, after)
