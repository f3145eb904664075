"""Amounts, counts and names as people read them. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from os.path import commonpath, dirname

from runner.jobs import Budget, Limits


@dataclass(frozen=True, slots=True)
class Caller:
    """How the operator called this program: what every command to copy says."""

    program: str
    manifest: str
    options: tuple[str, ...] = ()

    def command(self, verb: str, *words: str) -> str:
        """A command line that works on this batch, quoted for a shell."""
        tail = " ".join(map(shlex.quote, (self.manifest, *self.options, *words)))
        return f"{self.program} {verb} {tail}"


def spending(spent: tuple[int, int], limits: Limits) -> str:
    """Paid tasks and their cost, each with its budget over all runs where there is one."""
    return spending_of(spent, Budget(limits.budget_tasks, limits.budget_cost))


def spending_of(spent: tuple[int, int], budget: Budget) -> str:
    """Paid tasks and their cost, each with its budget where there is one."""
    tasks, cost = spent
    words = plural(tasks, "task")
    if budget.tasks is not None:
        words = f"{tasks} of {plural(budget.tasks, 'task')}"
    if budget.cost is not None:
        return f"{words}, {money(cost)} of {money(budget.cost)}"
    return f"{words}, {money(cost)}" if cost else words


def allowance(budget: Budget) -> str:
    """What a budget allows, in words."""
    tasks = [] if budget.tasks is None else [plural(budget.tasks, "task")]
    cost = [] if budget.cost is None else [money(budget.cost)]
    return " and ".join([*tasks, *cost]) or "anything"


def money(millionths: int) -> str:
    """An amount as people write it: at least two decimals, no more than needed."""
    whole, part = divmod(abs(millionths), 1_000_000)
    digits = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if millionths < 0 else ''}{whole}.{digits}"


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def where(outputs: Iterable[str]) -> str:
    """The folder that holds all these files; at least one."""
    common: str | None = None
    last = None
    for output in outputs:
        folder = output.rpartition("/")[0]
        if folder == last:
            continue
        last = folder
        parent = dirname(output)  # noqa: PTH120 - of a million files, a Path takes seconds
        try:
            common = commonpath([parent] if common is None else [common, parent])
        except ValueError:
            return "several folders"
    return common or ""


def printable(text: str) -> str:
    """One line that can't steer a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
