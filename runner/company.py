"""Who keeps a run company: sees what it does, is asked, and may end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from runner.events import Event
from runner.jobs import Job, Tally

if TYPE_CHECKING:
    from runner.session import Outcome


class Controls(Protocol):
    """What may be done to a run from outside, in its own event loop."""

    def drain(self) -> int:
        """Submit no more, wait for the answers in the air, leave the rest at the provider.

        Returns how many submits are in the air.
        """

    def note_abort(self) -> str:
        """Write down that the run ends here, unfinished; the process must leave right after.

        Returns what must still be said, if anything.
        """


class Company:
    """Does nothing, and agrees to nothing: override what is wanted.

    Methods are called in the thread of the run; but for `ask` and `ended` they are quick, and
    none may raise. `quiet` is 0, or 1 or 2 for a run that speaks only of changes, or of what a
    person should know.
    """

    quiet = 0

    def warn(self, words: str) -> None:
        """Take note of trouble outside: a service that doesn't answer, a hook that fails."""

    def prepare(self, words: str) -> None:
        """Take note of what is done before anything is bought: images that are looked at."""

    def ask(self, question: str) -> bool | None:
        """Whether to buy more than `confirm_above`; None when there is nobody to ask."""
        return None

    def start(self, counts: Mapping[str, int], tally: Callable[[], Tally]) -> None:
        """Take note that work begins: jobs by status, and what tells how much is under way."""

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Take note of one change, which is stored by now."""

    def say(self, words: str) -> None:
        """Take note of what an operator should hear at once."""

    def stop(self) -> None:
        """Take note that work has ended, well or not."""

    async def attend(self, controls: Controls) -> None:
        """Run beside the work, for as long as it goes on."""

    def settled(self) -> None:
        """Take note that all is done and stored; what is left is to tell of it."""

    def ended(self, outcome: Outcome) -> None:
        """Take note of what came of it; then the manifest's program for a run is started."""


class Listener(Company):
    """Company that hears of each event and each warning, and no more."""

    def __init__(
        self,
        on_event: Callable[[Job, Event, Job], None] | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self._on_event = on_event
        self._on_warning = on_warning

    def warn(self, words: str) -> None:
        """Pass it on."""
        if self._on_warning:
            self._on_warning(words)

    def say(self, words: str) -> None:
        """Pass it on as a warning."""
        self.warn(words)

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Pass it on."""
        if self._on_event:
            self._on_event(before, event, after)
