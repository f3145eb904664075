"""The film a sandbox task ends in: a real, small H.264 MP4, or a tiny stand-in for virtual time.

`render` needs PyAV and Pillow, which come with the extra `sandbox`; `tiny` needs nothing.
Both are deterministic: the same `FilmSpec` gives the same bytes.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeAlias

FPS = 12
DEFAULT_SIZE = (1280, 720)
DEFAULT_SECONDS = 5.0
LONGEST_SECONDS = 60.0
SMALLEST_SIDE, LARGEST_SIDE = 64, 4096
SHORT_SIDE_OF_AN_ASPECT = 720

Render: TypeAlias = "Callable[[FilmSpec], bytes]"


class MissingExtraError(RuntimeError):
    """PyAV or Pillow is not installed, so no real film can be drawn."""


@dataclass(frozen=True, slots=True)
class FilmSpec:
    """What a film shows: sizes in pixels, `seconds` long, captions as the task asked for them."""

    task_id: str
    image: str
    prompt: str
    model: str
    seed: int | None
    width: int
    height: int
    seconds: float

    @classmethod
    def of(cls, task_id: str, body: Mapping[str, object]) -> FilmSpec:
        """Read the film out of a task's request body; anything unreadable gets the default."""
        seed, duration = body.get("seed"), body.get("duration")
        width, height = frame_size(str(body.get("ratio", "")))
        number = isinstance(duration, int | float) and not isinstance(duration, bool)
        seconds = float(duration) if number else DEFAULT_SECONDS  # type: ignore[arg-type]
        return cls(
            task_id=task_id,
            image=str(body.get("promptImage", "")),
            prompt=str(body.get("promptText", "")),
            model=str(body.get("model", "")),
            seed=seed if isinstance(seed, int) else None,
            width=width,
            height=height,
            seconds=min(seconds, LONGEST_SECONDS) if seconds > 0 else DEFAULT_SECONDS,
        )

    @property
    def frames(self) -> int:
        """How many frames the film has, at `FPS` frames a second."""
        return max(1, round(self.seconds * FPS))


def frame_size(ratio: str) -> tuple[int, int]:
    """Width and height in pixels for a `ratio`: "1280:720" is a size, "16:9" only a shape."""
    try:
        width, height = (int(side) for side in ratio.split(":"))
    except ValueError:
        return DEFAULT_SIZE
    if width <= 0 or height <= 0:
        return DEFAULT_SIZE
    if min(width, height) < SMALLEST_SIDE:
        scale = SHORT_SIDE_OF_AN_ASPECT / min(width, height)
        width, height = round(width * scale), round(height * scale)
    if max(width, height) > LARGEST_SIDE:
        return DEFAULT_SIZE
    return width + width % 2, height + height % 2  # 4:2:0 colour needs even sides


def require_extra() -> None:
    """Raise `MissingExtraError` unless the libraries `render` needs are installed."""
    missing = [
        name for module, name in (("av", "PyAV"), ("PIL", "Pillow")) if not find_spec(module)
    ]
    if missing:
        raise MissingExtraError(
            f"real films need {' and '.join(missing)}: install this project with its extra "
            "'sandbox' (pip install '.[sandbox]'), or ask for tiny films"
        )


def render(spec: FilmSpec) -> bytes:
    """Draw and encode the film: H.264 in MP4, yuv420p, `moov` before `mdat`, exact size and length.

    Raises `MissingExtraError` when the extra `sandbox` is not installed.
    """
    require_extra()
    from runner.sandbox import encoder  # noqa: PLC0415  heavy and optional: loaded when first used

    return encoder.encode(spec)


def tiny(spec: FilmSpec) -> bytes:
    """A structurally valid MP4 of 1 to 4 KB with no picture in it, different for every spec."""
    digest = hashlib.sha256(repr(spec).encode()).digest()
    size = 1024 + int.from_bytes(digest[:2], "big") % 3072
    payload = (digest * (size // len(digest) + 1))[:size]
    milliseconds = round(spec.seconds * 1000)
    ftyp = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2mp41")
    return ftyp + _box(b"moov", _movie_header(milliseconds)) + _box(b"mdat", payload)


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def _movie_header(milliseconds: int) -> bytes:
    """An ISO 14496-12 `mvhd`, version 0: times, rate 1.0, volume 1.0, unity matrix, next track."""
    times = struct.pack(">IIIII", 0, 0, 0, 1000, milliseconds)
    rate_and_volume = struct.pack(">IH10x", 0x00010000, 0x0100)
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    return _box(b"mvhd", times, rate_and_volume, matrix, bytes(24), struct.pack(">I", 1))
