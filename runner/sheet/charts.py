"""What the charts show, as numbers: one answer to one question each. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median, quantiles

from runner.sheet.cards import NEEDS_A_PERSON, Card
from runner.sheet.chronicle import Charge

# At least so many days are shown; beyond the most a column stands for a month.
FEWEST_DAYS, MOST_DAYS = 14, 62
MOST_BARS = 12

Clock = Callable[[float], datetime]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long one model's renders took, in seconds: half of them no longer than `middle`.

    `low` to `high` is what eight of ten took.
    """

    model: str
    renders: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Spend:
    """What was bought in one day, or in the month that begins then; cost in millionths."""

    begins: date
    tasks: int
    cost: int


@dataclass(frozen=True, slots=True)
class Share:
    """How many jobs have one kind of trouble."""

    name: str
    jobs: int


@dataclass(frozen=True, slots=True)
class Spending:
    """Spend by day, without gaps, or by month where that would be too many columns."""

    columns: tuple[Spend, ...]
    monthly: bool = False

    @property
    def priced(self) -> bool:
        """Whether the columns can stand for money; else they stand for tasks."""
        return any(column.cost for column in self.columns)


def render_times(cards: Iterable[Card]) -> tuple[Pace, ...]:
    """Render time by model, the quickest first."""
    found: dict[str, list[float]] = defaultdict(list)
    for card in cards:
        if card.render > 0:
            found[card.model].append(card.render)
    paces = [_pace(model, times) for model, times in found.items()]
    return tuple(sorted(paces, key=lambda pace: (pace.middle, pace.model))[:MOST_BARS])


def _pace(model: str, times: list[float]) -> Pace:
    tenths = quantiles(times, n=10, method="inclusive") if len(times) > 1 else times * 9
    return Pace(model, len(times), tenths[0], median(times), tenths[-1])


def spending(charges: Iterable[Charge], clock: Clock) -> Spending:
    """What was bought when; `clock` tells a moment's date as the reader's calendar has it."""
    days: dict[date, list[int]] = defaultdict(list)
    for charge in charges:
        days[clock(charge.at).date()].append(charge.cost or 0)
    if not days:
        return Spending(())
    first, last = min(days), max(days)
    if (last - first).days < MOST_DAYS:
        first = min(first, last - timedelta(FEWEST_DAYS - 1))
        calendar = [first + timedelta(number) for number in range((last - first).days + 1)]
        return Spending(tuple(_spend(day, days.get(day, [])) for day in calendar))
    months: dict[date, list[int]] = defaultdict(list)
    for day, costs in days.items():
        months[day.replace(day=1)] += costs
    return Spending(tuple(_spend(*month) for month in sorted(months.items())), monthly=True)


def _spend(begins: date, costs: Sequence[int]) -> Spend:
    return Spend(begins, len(costs), sum(costs))


def failures(cards: Iterable[Card]) -> tuple[Share, ...]:
    """Jobs that need a person, by the kind of their trouble, the commonest first."""
    kinds = Counter(
        card.trouble.kind for card in cards if card.trouble and needs_a_person(card)
    ).items()
    shares = [Share(name, jobs) for name, jobs in kinds]
    return tuple(sorted(shares, key=lambda share: (-share.jobs, share.name))[:MOST_BARS])


def needs_a_person(card: Card) -> bool:
    """Whether nothing will become of this job unless somebody acts."""
    return card.state in NEEDS_A_PERSON or card.missing
