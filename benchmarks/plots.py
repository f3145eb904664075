"""Draws the pictures of README.md: `make plots`. Needs matplotlib, which the benchmarks must not.

Those of the simulations are made anew, that of the growth from the kept figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import pacing, results
from benchmarks.growth import FIRST
from benchmarks.polling import __main__ as polling


def growth(kept: Mapping[str, Any], path: Path) -> None:
    """Four small pictures of the growth, as SVG."""
    jobs, flight = kept["jobs"], kept["flight"]
    import matplotlib as mpl  # noqa: PLC0415 - an extra, and heavy: only where it draws

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "growth", "font.size": 8, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after its backend is chosen

    figure, places = plt.subplots(2, 2, figsize=(8, 5.5), layout="constrained")
    pictures = (
        (places[0, 0], jobs, "jobs", ("plan", "first", "again", "whole"), "seconds"),
        (places[0, 1], jobs, "jobs", ("plan_mb", "first_mb", "whole_mb"), "peak MB"),
        (places[1, 0], flight, "in_flight", ("cpu", "submitting"), "seconds"),
        (places[1, 1], flight, "in_flight", ("peak_mb",), "peak MB"),
    )
    for place, rows, size, values, unit in pictures:
        for value in values:
            known = [(row[size], row[value]) for row in rows if row.get(value)]
            place.loglog(*zip(*known, strict=True), marker="o", label=LABELS[value])
        place.set_xlabel(size.replace("_", " "))
        place.set_ylabel(unit)
        place.grid(visible=True, which="major", linewidth=0.3)
        place.minorticks_off()
        place.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


LABELS = {
    "plan": "runner plan",
    "first": f"run, until {FIRST} are bought and home",
    "again": "run again, nothing to do",
    "whole": "run, whole batch",
    "plan_mb": "runner plan",
    "first_mb": f"run, first {FIRST}",
    "whole_mb": "run, whole batch",
    "cpu": "CPU of the whole run",
    "submitting": "from first to last submit",
    "peak_mb": "peak memory",
}


def main() -> None:
    """Draw all that can be drawn."""
    pacing.draw(pacing.PICTURE)
    polling.picture(results.HERE / "polling.svg")
    if kept := results.load(results.FILE).get("growth"):
        growth(kept["rows"], results.HERE / "growth.svg")


if __name__ == "__main__":
    main()
