"""The sandbox's ledger file: a JSON line for each charge or deletion, written before the reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.sandbox.simulator import Simulator
from runner.sandbox.tasks import Record


class LedgerFileError(ValueError):
    """The ledger file holds something a sandbox did not write."""


def read_ledger(file: Path) -> list[Record]:
    """The records of a ledger file; a last line torn by a crash is cut off the file.

    Raises `LedgerFileError` for anything else that is not a record; no file means no records.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return []
    whole, newline, torn = content.rpartition(b"\n")
    if torn:
        with file.open("r+b") as handle:
            handle.truncate(len(whole) + len(newline))
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise LedgerFileError(f"{file}, line {number}: not a record of a sandbox's ledger")
        records.append(record)
    return records


@contextmanager
def keep_ledger(simulator: Simulator, file: Path | None) -> Iterator[None]:
    """Restore the simulator from a ledger file, then append to it until the block ends."""
    if file is None:
        yield
        return
    records = read_ledger(file)
    try:
        simulator.restore(records)
    except (KeyError, TypeError) as error:
        raise LedgerFileError(f"{file}: not a sandbox's ledger ({error!r})") from error
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as handle:

        def append(record: Record) -> None:
            handle.write(json.dumps(record) + "\n")
            handle.flush()

        simulator.on_record = append
        yield
