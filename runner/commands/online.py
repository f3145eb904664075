"""`runner check --online`: the images of a manifest and the key, asked free of charge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from runner.account import Standing
from runner.batch import Batch
from runner.credentials import read_key
from runner.errors import ConfigurationError, ExitCode, LockedError, worst
from runner.inspection import Inspection, as_json
from runner.ledger import Ledger, StateLock
from runner.preflight import ask_key, look_at


@dataclass(frozen=True, slots=True)
class Online:
    """What was found out; `key` is None where no key was there to be asked about."""

    images: Inspection
    key: Standing | None

    @property
    def code(self) -> ExitCode:
        """2 for an image that would be refused, 5 for a key that is."""
        codes = [] if self.images.fine else [ExitCode.USAGE]
        if self.key and self.key.accepted is False:
            codes.append(ExitCode.ACCOUNT)
        return worst(codes)

    def lines(self) -> list[str]:
        """The summary, then the offenders."""
        key = self.key.words if self.key else "not checked, there is none"
        return [self.images.line, f"key: {key}", *self.images.lines()]

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        accepted = self.key.accepted if self.key else None
        words = self.key.words if self.key else ""
        return {**as_json(self.images), "key": {"accepted": accepted, "words": words}}


def check_online(batch: Batch, key_file: Path | None) -> Online:
    """Ask for the images of every entry, and about the key.

    Raises `ConfigurationError` for a key file that can't be read, `StateError`.
    """
    key = _key(batch, key_file)

    def say(words: str) -> None:
        click.echo(words, err=True)

    with _remembering(batch) as ledger:
        if ledger is None:
            say("another run holds the state file: every image is asked for, none remembered")
        images = look_at(batch, batch.manifest.entries, ledger, say)
    return Online(images, _standing(batch, key))


def _standing(batch: Batch, key: str) -> Standing | None:
    """What the provider says of the key; None where there is none to ask about."""
    if not batch.api.key_variable:
        return Standing(None, "not checked, the stand-in needs none")
    return ask_key(batch, key) if key else None


def _key(batch: Batch, key_file: Path | None) -> str:
    """The key, "" where there is none; a file that is named must have one."""
    try:
        return read_key(batch.api, key_file)
    except ConfigurationError:
        if key_file is not None:
            raise
        return ""


@contextmanager
def _remembering(batch: Batch) -> Iterator[Ledger | None]:
    """The state file, or None while another process works on it. No run begins in it."""
    with ExitStack() as held:
        ledger = None
        with suppress(LockedError):
            batch.make_folder()
            held.enter_context(StateLock(batch.state_file))
            ledger = held.enter_context(closing(Ledger.open(batch.state_file)))
        yield ledger
