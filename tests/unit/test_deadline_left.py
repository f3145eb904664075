"""The time that a run may take counts from its start, not from the end of reading."""

from __future__ import annotations

from runner.commands.session import left_of


def test_reading_takes_of_the_time() -> None:
    """What is left is never negative, and no deadline stays none."""
    assert left_of(10.0, 4.0) == 6.0
    assert left_of(10.0, 12.0) == 0.0
    assert left_of(None, 12.0) is None
