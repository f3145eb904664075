"""What a run has come to, for whoever is told of it, and whether that is news. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from runner.errors import ExitCode
from runner.jobs import Ending, Status, Stop
from runner.overview import Action, Line, Overview
from runner.words import money

_LISTED = 20
_TOLD_APART = 1_000
_NEEDS_A_PERSON = frozenset({Stop.BREAKER, Stop.BUDGET, Stop.DISK, Stop.ADDRESS, Stop.IMAGES})


class Kind(StrEnum):
    """What a run's end means to people."""

    DONE = "done"
    FAILED = "failed"
    REMAINS = "remains"
    PERSON = "person"
    ACCOUNT = "account"


_TITLES = {
    Kind.DONE: "all videos are done",
    Kind.FAILED: "finished, some jobs failed",
    Kind.REMAINS: "work remains",
    Kind.PERSON: "a person is needed",
    Kind.ACCOUNT: "the provider refuses the account",
}


@dataclass(frozen=True, slots=True)
class News:
    """The facts of a run's end. Times are seconds since 1970, money millionths of a unit.

    `line` and `details` are the run's last words; `bought` are the paid submissions of this run,
    `paid` those of all runs and their cost. A `..._set` is a few digits that stand for which jobs
    those are.
    """

    name: str
    manifest: str
    state_file: str
    kind: Kind
    code: ExitCode
    stop: Stop
    counts: Mapping[str, int]
    held: int
    failed_set: str
    uncertain_set: str
    held_set: str
    problems: tuple[tuple[str, str, str, str], ...]
    paid: tuple[int, int]
    bought: int
    began: float
    ended: float
    line: str
    details: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether everything goes on, or ended, without anybody's help."""
        return self.kind in {Kind.DONE, Kind.REMAINS}


def gather(
    view: Overview,
    *,
    ending: Ending,
    code: ExitCode,
    last_words: tuple[str, Sequence[str]],
    paid: tuple[int, int],
    bought: int,
    times: tuple[float, float],
) -> News:
    """The news of a run from how its batch stands after it."""
    failed, uncertain = view.of(Action.FAILED), view.of(Action.UNCERTAIN)
    held = view.of(Action.HELD)
    return News(
        name=view.name,
        manifest=view.manifest,
        state_file=view.state_file,
        kind=kind_of(code, ending.stop),
        code=code,
        stop=ending.stop,
        counts=view.counts(),
        held=len(held),
        failed_set=_digits(failed),
        uncertain_set=_digits(uncertain),
        held_set=_digits(held),
        problems=tuple(_problem(line) for line in [*failed[:_LISTED], *uncertain[:_LISTED]]),
        paid=paid,
        bought=bought,
        began=times[0],
        ended=times[1],
        line=last_words[0],
        details=tuple(last_words[1]),
    )


def _problem(line: Line) -> tuple[str, str, str, str]:
    problem = line.job.problem if line.job else None
    words = (problem.code, problem.message) if problem else ("", "")
    return line.id, line.status.value, *words


def kind_of(code: ExitCode, stop: Stop) -> Kind:
    """What an exit code means, given why the run ended: some stops don't pass by themselves."""
    match code:
        case ExitCode.DONE:
            return Kind.DONE
        case ExitCode.FAILED:
            return Kind.FAILED
        case ExitCode.ACCOUNT:
            return Kind.ACCOUNT
        case ExitCode.REMAINS if stop not in _NEEDS_A_PERSON:
            return Kind.REMAINS
        case _:
            return Kind.PERSON


# ---------------------------------------------------------------- whether it is news


def standing(news: News) -> list[str]:
    """What people need to know, and no more: the kind, and which jobs make it so."""
    match news.kind:
        case Kind.DONE:
            return [news.kind, str(sum(news.counts.values()))]
        case Kind.FAILED:
            return [news.kind, news.failed_set]
        case Kind.PERSON:
            return [news.kind, news.stop, news.uncertain_set, news.held_set]
        case _:
            return [news.kind]


def picture(news: News) -> list[Any]:
    """Everything that a run can have changed, to be held against that of the run before."""
    sets = (news.failed_set, news.uncertain_set, news.held_set)
    return [int(news.code), dict(news.counts), *sets, *news.paid]


def _digits(lines: Sequence[Line]) -> str:
    """Stands for a set of jobs of any size: how many, and which ones (of many, the first)."""
    ids = "\n".join(line.id for line in lines[:_TOLD_APART])
    digest = hashlib.sha256(ids.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{len(lines)}-{digest}" if ids else ""


def speaks(quiet: int, news: News, before: Mapping[str, object]) -> bool:
    """Whether a run says its line: always; when anything changed; when a person should know.

    `before` holds the `picture` and the `standing` that the run before remembered.
    """
    if quiet == 0:
        return True
    if quiet == 1:
        return before.get("picture") != picture(news)
    return news.kind is not Kind.REMAINS and before.get("standing") != standing(news)


# ---------------------------------------------------------------- what is said


def message(news: News) -> tuple[str, str]:
    """A notification's title and body."""
    return f"{news.name}: {_TITLES[news.kind]}", "\n".join([news.line, *news.details])


def summary_json(news: News) -> dict[str, Any]:
    """The object that a webhook gets; times are ISO 8601 in UTC, costs decimal strings."""
    return {
        "version": 1,
        "name": news.name,
        "manifest": news.manifest,
        "state_file": news.state_file,
        "outcome": news.kind.value,
        "exit_code": int(news.code),
        "stopped": news.stop.value,
        "summary": news.line,
        "counts": dict(news.counts),
        "held": news.held,
        "paid": {"tasks": news.paid[0], "cost": money(news.paid[1])},
        "bought": news.bought,
        "problems": [
            dict(zip(("id", "status", "code", "message"), row, strict=True))
            for row in news.problems
        ],
        "started_at": _iso(news.began),
        "ended_at": _iso(news.ended),
    }


def environment(news: News) -> dict[str, str]:
    """The facts of a run for the environment of its `on_done` program."""
    counts = {f"RUNNER_{status.upper()}": str(number) for status, number in news.counts.items()}
    return counts | {
        "RUNNER_EVENT": "run",
        "RUNNER_NAME": news.name,
        "RUNNER_MANIFEST": news.manifest,
        "RUNNER_STATE_FILE": news.state_file,
        "RUNNER_OUTCOME": news.kind.value,
        "RUNNER_EXIT_CODE": str(int(news.code)),
        "RUNNER_STOPPED": news.stop.value,
        "RUNNER_SUMMARY": news.line,
        "RUNNER_HELD": str(news.held),
        "RUNNER_BOUGHT": str(news.bought),
        "RUNNER_PAID_TASKS": str(news.paid[0]),
        "RUNNER_PAID_COST": money(news.paid[1]),
        "RUNNER_SECONDS": f"{max(0.0, news.ended - news.began):.3f}",
    }


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


# ---------------------------------------------------------------- Prometheus


def metrics(news: News) -> str:
    """The text that Prometheus' textfile collector reads (its exposition format, version 0.0.4)."""
    batch = _labels(batch=news.name)
    tasks, cost = news.paid
    rows: list[tuple[str, str, list[tuple[str, float]]]] = [
        (
            "jobs",
            "Jobs of the batch by status.",
            [
                (_labels(batch=news.name, status=status), news.counts.get(status, 0))
                for status in Status
            ],
        ),
        ("jobs_held", "Entries held for a person.", [(batch, news.held)]),
        ("paid_tasks", "Paid submissions over all runs, doubtful ones included.", [(batch, tasks)]),
        ("paid_cost", "Their cost, in the unit of the manifest's price.", [(batch, cost / 1e6)]),
        ("last_run_timestamp_seconds", "When the last run ended.", [(batch, news.ended)]),
        (
            "last_run_duration_seconds",
            "How long the last run took.",
            [(batch, max(0.0, news.ended - news.began))],
        ),
        ("last_run_exit_code", "Exit code of the last run.", [(batch, int(news.code))]),
        ("last_run_paid_tasks", "Paid submissions of the last run.", [(batch, news.bought)]),
    ]
    lines = []
    for name, words, samples in rows:
        lines += [f"# HELP runner_{name} {words}", f"# TYPE runner_{name} gauge"]
        lines += [f"runner_{name}{labels} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(value)


def _labels(**labels: str) -> str:
    escaped = (
        (name, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n"))
        for name, value in labels.items()
    )
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"
