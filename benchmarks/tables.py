"""Figures to tables: Markdown that is readable in a terminal as well. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.growth import exponents

Row = Mapping[str, Any]
Rows = Sequence[Row]


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, padded: the first column to the left, figures to the right."""
    body = [list(line) for line in lines]
    widths = [max(len(line[at]) for line in (head, *body)) for at in range(len(head))]

    def padded(line: Sequence[str]) -> str:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        return f"| {' | '.join(cells)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([padded(head), f"| {' | '.join(rule)} |", *map(padded, body)])


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, with least and most when there is more than one value."""
    if not values:
        return "-"
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})"


# ---------------------------------------------------------------- the comparison


def compare(rows: Rows) -> str:
    """One table a level, ratios first, then what serving it took of the provider."""
    levels = sorted({row["level"] for row in rows})
    return "\n\n".join(_level([row for row in rows if row["level"] == level]) for level in levels)


def _level(rows: Rows) -> str:
    labels = list(dict.fromkeys(row["label"] for row in rows))
    rounds = 1 + max(row["round"] for row in rows)
    title = f"**{rows[0]['level']} in flight**, {rounds} round{'s' * (rounds > 1)}"
    head = (
        "client", "wall ÷ ideal", "CPU ÷ bare loop's", "CPU ÷ SDK's", "CPU a job, ms",
        "peak MB", "polls a job", "lag mean, s", "lag p95, s", "connections", "paid twice",
    )  # fmt: skip

    def line(label: str) -> list[str]:
        own = [row for row in rows if row["label"] == label]
        few = own[0]["jobs"] < own[0]["level"]
        return [
            label + (f" ({own[0]['jobs']} jobs)" if few else ""),
            spread(_of(own, "wall_over_ideal"), 3),
            spread(cpu_ratios(rows, own, lambda row: bool(row["like"] == label))),
            spread(cpu_ratios(rows, own, lambda row: bool(row["label"] == "official SDK"))),
            spread(_of(own, "cpu_ms"), 1),
            spread(_of(own, "peak_mb"), 0),
            spread(_of(own, "polls_a_job"), 1),
            spread(_of(own, "lag_mean")),
            spread(_of(own, "lag_p95")),
            spread(_of(own, "connections"), 0),
            f"{max(row['charged_twice'] for row in own)}",
        ]

    return f"{title}\n\n{table(head, map(line, labels))}"


def cpu_ratios(rows: Rows, own: Rows, other: Callable[[Row], bool]) -> list[float]:
    """CPU a job over another client's, always within one round."""
    return [
        row["cpu_ms"] / peer["cpu_ms"]
        for row in own
        for peer in rows
        if other(peer) and peer["round"] == row["round"] and peer is not row
    ]


def _of(rows: Rows, name: str) -> list[float]:
    return [row[name] for row in rows]


def provider(rows: Rows, limit: Row) -> str:
    """How far from its limit the provider was, in the busiest turn of each level and client."""
    head = (
        "what asked", "requests/s in the busiest second", "of its core", "CPU a request, µs",
        "handling mean, ms",
        "handling p99, ms", "event loop late p99, ms",
    )  # fmt: skip
    groups = dict.fromkeys((row["level"], row["label"]) for row in rows)
    lines = [
        [
            f"{label}, {level}",
            f"{max(_of(own, 'busiest_second')):,.0f}",
            f"{max(_of(own, 'core')):.0%}",
            f"{max(row['cpu'] / row['requests'] for row in own) * 1e6:.0f}",
            f"{max(_of(own, 'handling_mean_ms')):.3f}",
            f"{max(_of(own, 'handling_p99_ms')):.2f}",
            f"{max(_of(own, 'late_p99_ms')):.1f}",
        ]
        for level, label in groups
        if (own := [row for row in rows if (row["level"], row["label"]) == (level, label)])
    ]
    most = [
        "as fast as it can",
        f"{limit['requests_a_second']:,.0f}",
        f"{limit['core']:.0%}",
        f"{limit['cpu_us']:.0f}",
        f"{limit['handling_mean_ms']:.3f}",
        f"{limit['handling_p99_ms']:.2f}",
        "-",
    ]
    return table(head, [most, *lines])


# ---------------------------------------------------------------- the other parts


def kills(rows: Rows) -> str:
    """What a kill and the same command again cost each client."""
    head = ("client", "kills", "jobs", "paid twice", "lost", "held for a person")
    return table(
        head,
        (
            [
                row["client"],
                *(f"{row[name]}" for name in ("kills", "jobs", "charged_twice", "lost")),
                f"{row['held']}" if row["client"] == "runner" else "-",
            ]
            for row in rows
        ),
    )


def polls(row: Row) -> str:
    """The outstanding polls, one figure a line."""
    return table(
        ("figure", "value"),
        [
            ["tasks outstanding", f"{row['tasks']:,}"],
            ["interval asked, s", f"{row['interval']:g}"],
            ["all submitted within, s", f"{row['submitting']:.1f}"],
            ["gaps watched", f"{row['gaps']:,}"],
            ["tasks not asked about in the window", f"{row['silent']}"],
            ["gap, p50, s", f"{row['gap_p50']:.2f}"],
            ["gap, least, s", f"{row['gap_least']:.2f}"],
            ["later than planned, p50, s", f"{row['late_p50']:.2f}"],
            ["later than planned, p99, s", f"{row['late_p99']:.2f}"],
            ["later than planned, most, s", f"{row['late_most']:.2f}"],
            ["of one core", f"{row['core']:.0%}"],
            ["peak MB", f"{row['peak_mb']:.0f}"],
            ["connections open at once", f"{row['connections']}"],
            ["the provider: of its core", f"{row['provider_core']:.0%}"],
        ],
    )  # fmt: skip


def start(rows: Rows) -> str:
    """`--version` against an empty Python."""
    ratios = [row["version"] / row["python"] for row in rows]
    head = ("start", "÷ `python -c pass`", "ms")
    empty = ["`python -c pass`", "1", spread([row["python"] * 1000 for row in rows], 0)]
    ours = ["`runner --version`", spread(ratios, 1)]
    return table(head, [empty, [*ours, spread([row["version"] * 1000 for row in rows], 0)]])


def idle(rows: Rows) -> str:
    """Runs with nothing to do, split into the parser's part, the interpreter's, and ours."""
    head = ("catalog", "wall, s", "CPU, s", "the parser's own, s", "its part",
            "`--version`, s", "reading, s", "state file, s", "peak MB")  # fmt: skip
    lines = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = [row for row in rows if row["kind"] == kind]
        reading = [row["check"] - row["parser"] - row["start"] for row in own]
        lines.append(
            [
                f"{own[0]['jobs']:,} jobs, {kind.upper()}",
                spread(_of(own, "wall")),
                spread(_of(own, "cpu")),
                spread(_of(own, "parser")),
                f"{statistics.median(row['parser'] / row['wall'] for row in own):.0%}",
                spread(_of(own, "start")),
                spread(reading),
                spread([row["wall"] - row["check"] for row in own]),
                spread(_of(own, "peak_mb"), 0),
            ]
        )
    return table(head, lines)


def progress(rows: Rows) -> str:
    """The live view's CPU over the same run's without it."""
    cost = [100 * (row["live"] / row["none"] - 1) for row in rows]
    core = [100 * (row["live"] - row["none"]) / row["live_wall"] for row in rows]
    head = ("run", "CPU, s", "live view's cost, % of the run's CPU", "in % of a core", "bytes")
    quiet = ["`--progress none`", spread(_of(rows, "none")), "-", "-", "-"]
    live = ["`--progress live`", spread(_of(rows, "live")), spread(cost, 1), spread(core, 1)]
    return table(head, [quiet, [*live, f"{rows[0]['live_bytes']:,}"]])


def growth(jobs: Rows, flight: Rows) -> str:
    """Both growths, each figure with the power at which it grew since the size before."""
    first = _growing(
        jobs, "jobs",
        {"plan": "plan, s", "plan_mb": "plan, MB", "first": "first 100, s",
         "first_mb": "first 100, MB", "again": "nothing to do, s", "whole": "whole, s",
         "whole_cpu": "whole, CPU s", "whole_mb": "whole, MB"},
    )  # fmt: skip
    second = _growing(
        flight, "in_flight",
        {"wall_over_ideal": "wall ÷ ideal", "cpu": "CPU, s", "peak_mb": "peak MB",
         "submitting": "first to last submit, s", "lag_mean": "lag mean, s"},
    )  # fmt: skip
    return f"{first}\n\n{second}"


def _growing(rows: Rows, size: str, names: Mapping[str, str]) -> str:
    def cells(name: str) -> list[str]:
        powers = iter([None, *exponents(rows, size, name)])
        return [_grown(row[name], next(powers)) if row.get(name) else "-" for row in rows]

    columns = [[f"{row[size]:,}" for row in rows], *(cells(name) for name in names)]
    return table((size.replace("_", " "), *names.values()), zip(*columns, strict=True))


def _grown(value: float, power: float | None) -> str:
    return f"{value:.2f}" if power is None else f"{value:.2f} (^{power:.2f})"
