"""The curve of polls against lag: the optimum, fixed intervals, the SDK, the runner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.polling.laws import Cost


@dataclass(frozen=True)
class Picture:
    """What is drawn of one law."""

    optimum: list[Cost]
    fixed: list[Cost]
    official: Cost
    ours: Mapping[int, Cost]


def draw(pictures: Mapping[str, Picture], path: Path) -> None:
    """One picture a law, as SVG. Needs matplotlib."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra, and heavy: only where it draws

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "polling", "font.size": 8, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after its backend is chosen

    figure, places = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for place, (name, picture) in zip(places.flat, pictures.items(), strict=True):
        for label, costs, style in (
            ("optimum", picture.optimum, "k-"),
            ("fixed intervals", picture.fixed, "-"),
            ("official SDK", [picture.official], "rs"),
            ("runner, by renders seen", list(picture.ours.values()), "g.-"),
        ):
            place.plot([c.lag for c in costs], [c.polls for c in costs], style, label=label)
        for count, cost in picture.ours.items():
            place.annotate(str(count), (cost.lag, cost.polls), (3, 3), textcoords="offset points")
        place.set(title=name, xlabel="mean lag, s", ylabel="polls a render", xlim=(2.3, 6))
        place.set_ylim(0, 1.3 * picture.official.polls)
        place.grid(visible=True, linewidth=0.3)
    places[0, 0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
