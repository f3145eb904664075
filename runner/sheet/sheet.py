"""A whole sheet: the cards, the totals, the charts, and what to do next. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner.jobs import Status
from runner.sheet.cards import Card, Command, State
from runner.sheet.charts import (
    Clock,
    Pace,
    Share,
    Spending,
    failures,
    needs_a_person,
    render_times,
    spending,
)
from runner.sheet.chronicle import Chronicle
from runner.words import Caller

# More than this no browser shows at ease; the exports have no limit.
MOST_CARDS = 20_000


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the page shows. Costs in millionths, `made_at` in seconds since 1970.

    `jobs` counts all; `cards` may be fewer. `attempts` and `spent` are what was paid in all,
    `doubtful` tasks and their cost `doubt` the part of it that may never have been charged.
    """

    name: str
    made_at: float
    cards: tuple[Card, ...]
    jobs: int
    ready: int
    states: tuple[tuple[State, int], ...]
    models: tuple[str, ...]
    people: int
    attempts: int
    spent: int
    doubtful: int
    doubt: int
    paces: tuple[Pace, ...]
    spending: Spending
    failures: tuple[Share, ...]
    next: tuple[Command, ...]
    shape: str


def sheet(
    name: str,
    cards: Sequence[Card],
    told: Mapping[int, Chronicle],
    *,
    spent: tuple[int, int],
    caller: Caller,
    clock: Clock,
    made_at: float,
    most: int = MOST_CARDS,
) -> Sheet:
    """The sheet of a batch; with more cards than `most`, those that need a person come first."""
    states = Counter(card.state for card in cards)
    doubtful = [card for card in cards if card.status in {Status.UNCERTAIN, Status.SUBMITTING}]
    charges = (charge for chronicle in told.values() for charge in chronicle.charges)
    return Sheet(
        name=name,
        made_at=made_at,
        cards=_at_most(cards, most),
        jobs=len(cards),
        ready=sum(card.state is State.DONE and not card.missing for card in cards),
        states=tuple((state, states[state]) for state in State if states[state]),
        models=tuple(sorted({card.model for card in cards if card.model})),
        people=sum(map(needs_a_person, cards)),
        attempts=spent[0],
        spent=spent[1],
        doubtful=len(doubtful),
        doubt=sum(card.price or 0 for card in doubtful),
        paces=render_times(cards),
        spending=spending(charges, clock),
        failures=failures(cards),
        next=tuple(_next(cards, caller)),
        shape=_shape(cards),
    )


def _at_most(cards: Sequence[Card], most: int) -> tuple[Card, ...]:
    if len(cards) <= most:
        return tuple(cards)
    urgent = sorted(cards, key=lambda card: (not needs_a_person(card), card.number))
    return tuple(sorted(urgent[:most], key=lambda card: card.number))


def _next(cards: Sequence[Card], caller: Caller) -> Iterable[Command]:
    """What to type next, for the whole batch."""
    states = {card.state for card in cards}
    if states & {State.PLANNED, State.RUNNING, State.RENDERED}:
        yield Command("Make what is left; pays for nothing twice", caller.command("run"))
    if states & {State.UNCERTAIN, State.SUBMITTING}:
        yield Command("What may have been charged, and how to tell", caller.command("resolve"))
    if any(card.state is State.FAILED and card.commands for card in cards):
        yield Command("Pay for the failed ones again; asks first", caller.command("retry"))
    if State.HELD in states:
        yield Command("What is held, and why", caller.command("plan"))
    if any(card.missing for card in cards):
        yield Command("Look after missing videos", caller.command("doctor"))


def _shape(cards: Sequence[Card]) -> str:
    """How most videos stand: "wide", "tall" or "square"."""
    shapes = Counter(_stands(card) for card in cards)
    return shapes.most_common(1)[0][0] if shapes else "wide"


def _stands(card: Card) -> str:
    width, _, height = str(dict(card.parameters).get("ratio", "")).partition(":")
    if not (width.isdecimal() and height.isdecimal()) or int(width) > int(height):
        return "wide"
    return "tall" if int(width) < int(height) else "square"
