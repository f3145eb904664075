"""Draws a film with Pillow and encodes it with PyAV. Imported only when a real film is wanted."""

from __future__ import annotations

import io

import av
import av.logging

from runner.sandbox.film import FPS, FilmSpec
from runner.sandbox.scene import Scene

av.logging.set_level(av.logging.PANIC)  # x264 reports its settings on stderr otherwise


def encode(spec: FilmSpec) -> bytes:
    """The whole film as MP4 bytes; one thread and no timestamps, so that the bytes are the same."""
    scene = Scene(spec)
    target = io.BytesIO()
    # Room kept in front for the index puts `moov` first without a second pass over the file.
    options = {"moov_size": str(4096 + 32 * spec.frames), "fflags": "+bitexact"}
    with av.open(target, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "23", "threads": "1"}
        for number in range(spec.frames):
            picture = av.VideoFrame.from_image(scene.frame(number))  # type: ignore[no-untyped-call]
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return target.getvalue()
