"""When `status --watch` ends."""

from __future__ import annotations

import pytest

from runner.commands.status import _watch
from runner.errors import ExitCode


def test_a_run_at_work_is_watched_whatever_is_in_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    """A submit in the air looks like one in doubt: only once nobody works on it that counts."""
    states = iter([("a", ExitCode.PERSON, True), ("b", ExitCode.DONE, True)])
    now = ("c", ExitCode.DONE, False)

    def busy() -> bool:
        nonlocal now
        now = next(states, ("c", ExitCode.DONE, False))
        return now[2]

    def look(limit: int | None, *, brief: bool = False) -> tuple[str, ExitCode]:
        return now[:2]

    assert _watch(look, busy, 0.0, as_json=False, as_code=True) is ExitCode.DONE
    assert capsys.readouterr().out.split() == ["a", "b", "c"]
