"""Named camera moves and the words they put into a prompt. A manifest may add its own."""

from __future__ import annotations

from collections.abc import Mapping

from runner.manifest.suggest import nearest, plain
from runner.manifest.values import InvalidError, shown

CAMERA: Mapping[str, str] = {
    "static": "static camera, no camera movement",
    "push in": "the camera pushes in",
    "slow push in": "the camera pushes in slowly and steadily",
    "pull out": "the camera pulls out",
    "slow pull out": "the camera pulls out slowly and steadily",
    "pan left": "the camera pans left",
    "pan right": "the camera pans right",
    "tilt up": "the camera tilts up",
    "tilt down": "the camera tilts down",
    "truck left": "the camera moves sideways to the left",
    "truck right": "the camera moves sideways to the right",
    "crane up": "the camera rises",
    "crane down": "the camera sinks",
    "orbit left": "the camera circles the subject to the left",
    "orbit right": "the camera circles the subject to the right",
    "zoom in": "the lens zooms in",
    "zoom out": "the lens zooms out",
    "dolly zoom": "the camera pushes in while the lens zooms out",
    "handheld": "handheld camera with a slight natural shake",
    "turntable": "the subject turns on the spot, the camera stays still",
}


class Presets:
    """The moves that are known by name: the built-in ones, and above them those of the user.

    `complete` is False when some of the user's could not be read: then any name may be one.
    """

    def __init__(self, own: Mapping[str, str], *, complete: bool = True) -> None:
        named = {**CAMERA, **own}
        self._names = list(named)
        self._complete = complete
        self._words = {plain(name): words for name, words in named.items()}

    def words(self, name: str) -> str:
        """What a move adds to the prompt; case, spaces and hyphens of its name don't matter.

        Raises InvalidError.
        """
        words = self._words.get(plain(name))
        if words is None and not self._complete:
            return name
        if words is None:
            near = nearest(name, self._names)
            hint = f"did you mean `{near}`?" if near else f"there are {', '.join(self._names)}"
            raise InvalidError(f"{shown(name)} is not a known camera move", hint)
        return words
