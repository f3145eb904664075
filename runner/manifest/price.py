"""What a job costs, from what the manifest says about prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from runner.manifest.quantities import millionths


@dataclass(frozen=True, slots=True)
class Tariff:
    """The price of one task, or of one second of its video, in the manifest's currency unit."""

    amount: Decimal
    per_second: bool = False

    def cost(self, duration: int | None) -> int | None:
        """The cost of a task in millionths; None when it hangs on a duration nobody knows."""
        if not self.per_second:
            return millionths(self.amount)
        return None if duration is None else millionths(self.amount * duration)


@dataclass(frozen=True, slots=True)
class Price:
    """One tariff for every model, or one for each."""

    every: Tariff | None = None
    by_model: Mapping[str, Tariff] = field(default_factory=dict)

    def of(self, model: str) -> Tariff | None:
        """The model's tariff, None when the manifest gives none for it."""
        return self.every or self.by_model.get(model)
