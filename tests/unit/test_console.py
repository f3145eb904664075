"""Which troubles a run tells people of."""

from __future__ import annotations

import pytest

from runner.console import Plain
from runner.events import Event, LinkExpired, Rendered
from runner.jobs import Job, Problem, Status
from runner.lifecycle import apply

BROKEN = LinkExpired(Problem("download", "the download broke off"))
FRESH = Rendered("https://cdn.example.com/fresh.mp4")


@pytest.mark.parametrize(
    ("status", "events", "told"),
    [
        (Status.RENDERED, [BROKEN, FRESH], 0),
        (Status.RENDERED, [BROKEN, FRESH, BROKEN], 1),
        (Status.RENDERED, [BROKEN, FRESH, BROKEN, FRESH, BROKEN], 1),
        (Status.RUNNING, [FRESH, BROKEN], 1),
    ],
)
def test_a_link_of_an_earlier_run_ends_quietly(
    status: Status, events: list[Event], told: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only a link that this run was given is a trouble when it fails, and that once."""
    console = Plain(clock=lambda: 0.0)
    job = Job(1, "lamp-01", "a", "b", {}, status=status, task_id="t", url="http://127.0.0.1:9/a")
    for event in events:
        after = apply(job, event, 0.0)
        console.observe(job, event, after)
        job = after
    shown = capfd.readouterr()
    assert (shown.out + shown.err).count("the download broke off") == told
