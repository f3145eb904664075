"""Lines for people and for log collectors: plain text, or one JSON object each."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO


def write_line(words: str, out: TextIO) -> None:
    """Print a line; a reader that left, a full disk or a narrow locale never ends a run."""
    with suppress(OSError, ValueError):
        print(words, file=out, flush=True)


class Log:
    """Where everything goes that is said. `structured` makes each line a JSON object.

    Such an object is on standard error and has `time` (ISO 8601, UTC), `level` (info, warning,
    error), `event`, `message`, and more fields by event.
    """

    def __init__(self, *, structured: bool = False, wall: Callable[[], float] = time.time) -> None:
        self.structured = structured
        self._wall = wall

    def say(
        self,
        words: str,
        *,
        level: str = "info",
        event: str = "say",
        out: TextIO | None = None,
        **more: object,
    ) -> None:
        """Write a line; `out` is where a plain one goes, standard error unless given."""
        if not self.structured:
            prefix = "warning: " if event == "warning" else ""
            write_line(f"{prefix}{words}", out or sys.stderr)
            return
        now = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "level": level, "event": event, "message": words, **more}
        write_line(json.dumps(line, ensure_ascii=False), sys.stderr)

    def warn(self, words: str) -> None:
        """Write a warning."""
        self.say(words, level="warning", event="warning")
