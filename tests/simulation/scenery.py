"""What a world is made of: limits, the provider's settings, and a batch in a folder."""

from __future__ import annotations

import random
from pathlib import Path

from runner.apis import APIS
from runner.batch import Batch, Options
from runner.jobs import Entry, Limits
from runner.manifest import Manifest
from runner.sandbox import Settings, Span
from runner.sandbox.settings import DIALECTS


def draw_limits(dice: random.Random) -> Limits:
    """Limits that bite, in times short enough to simulate many of them."""
    return Limits(
        concurrency=dice.randint(1, 5),
        poll_interval=dice.choice((10.0, 20.0, 30.0)),
        visibility_grace=dice.choice((60.0, 180.0, 300.0)),
        task_timeout=dice.choice((200.0, 600.0, 900.0)),
        budget_tasks=dice.choice((None, None, 2, 3, 5, 8)),
        budget_cost=dice.choice((None, None, None, 1_000_000, 2_000_000)),
    )


def draw_settings(dice: random.Random, seed: int) -> Settings:
    """A provider: quick or slow, with or without slots, late to know its own tasks."""
    render = dice.choice(((2, 10), (20, 60), (60, 150)))
    return Settings(
        seed=seed,
        dialect=dice.choice(DIALECTS),
        render=Span(*render),
        queue=Span(0, dice.choice((1, 20))),
        invisible=Span(0, dice.choice((0, 0, 30))),
        slots=dice.choice((None, None, 1, 3)),
        credit=dice.choice((None, None, None, None, 2, 5)),
        link_lifetime=dice.choice((86_400.0, 15.0)),
    )


def draw_up(folder: Path, entries: tuple[Entry, ...], limits: Limits, *, accept: bool) -> Batch:
    """The batch that a manifest with these entries makes, all of it in one folder."""
    path = folder / "catalog.yaml"
    manifest = Manifest(
        path=path,
        name="catalog",
        provider="cometapi",
        runway_version="2024-11-06",
        output=f"{folder}/videos/{{model}}/{{id}}.mp4",
        limits=limits,
        entries=entries,
        warnings=(),
    )
    return Batch(
        manifest=manifest,
        options=Options(manifest=path, accept_changes=accept),
        api=APIS["cometapi"],
        base_url="https://api.example.com",
        state_file=folder / "state" / "catalog.db",
        limits=limits,
    )
