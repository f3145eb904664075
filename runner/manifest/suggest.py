"""What was probably meant by a name that is not known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def nearest(name: str, choices: Iterable[str], cutoff: float = 0.6) -> str:
    """The choice that looks most like `name`, or "" when none does."""
    names = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(name[:80].casefold(), names, n=1, cutoff=cutoff)
    return names[close[0]] if close else ""


def plain(name: str) -> str:
    """A name without case and punctuation, so that aspectRatio and aspect_ratio are the same."""
    return re.sub(r"[^0-9a-z]", "", name[:80].casefold())
