"""A manifest's settings: who renders, where the videos go, what a run keeps to, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from runner.errors import Finding
from runner.jobs import Budget, Limits
from runner.manifest import metadata, output, quantities, values
from runner.manifest.fields import BUDGET, CONFIRM, PER_SECOND, TOP
from runner.manifest.price import Price, Tariff
from runner.manifest.reader import Reader
from runner.manifest.templates import Template
from runner.manifest.tree import Node, Series, Table
from runner.models import KNOWN

POLITE_INTERVAL = 5.0
# The most that `concurrency: auto` tries. No provider is known to take as many; one that takes
# everything and hides its queue would else be handed the whole catalog at once.
AUTO_CEILING = 500
_KINDS = ("", "_per_day", "_per_run")  # how the names of budgets end


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for all jobs of a manifest. `price` is None when the manifest gives none."""

    name: str
    provider: str
    runway_version: str
    output: str
    limits: Limits
    price: Price | None
    sidecar: bool
    poster: str
    metadata: tuple[Template, ...]
    preflight: str


def read(path: Path, top: Mapping[str, Node], faulty: Set[str], reader: Reader) -> Settings:
    """The settings among a manifest's top fields, each as set or by default.

    `faulty` names the fields of which a mistake was already told.
    """
    if "version" not in top and "version" not in faulty:
        hint = "begin with `version: 1`"
        reader.findings.mistake(Finding(reader.file, 0, 0, "version", "is missing", hint))
    reader.value(top, TOP["version"])
    words = {
        name: reader.value(top, TOP[name]) or TOP[name].default
        for name in ("provider", "runway_version", "preflight")
    }
    parse = output.parse_open if "catalog" in top else output.parse
    place = reader.convert(top["output"], parse, "output") if "output" in top else None
    name = reader.value(top, TOP["name"]) if "name" in top else _name_of(path, reader)
    limits = _limits(top, faulty, reader)
    _doubt(limits, words["provider"], top, reader)
    return Settings(
        name=name or "",
        limits=limits,
        price=_price(top, reader),
        output=place or output.DEFAULT,
        sidecar=bool(reader.value(top, TOP["sidecar"])),
        poster=reader.value(top, TOP["poster"]) or "",
        metadata=metadata.read(top, reader),
        **words,
    )


def _name_of(path: Path, reader: Reader) -> str:
    """The manifest's name when it gives none: that of its file."""
    try:
        return values.identifier(path.stem)
    except values.InvalidError as problem:
        message = f"the file's own name can't be it: {problem.message}"
        reader.findings.mistake(Finding(reader.file, 0, 0, "name", message, "set `name`"))
        return ""


def _limits(top: Mapping[str, Node], faulty: Set[str], reader: Reader) -> Limits:
    budget = reader.section(top, "budget", BUDGET)
    in_all, per_day, per_run = (_budget(budget, kind, reader) for kind in _KINDS)
    confirm, above = _confirm(top.get("confirm_above"), reader)
    if "price" not in {*top, *faulty}:
        hint = "add `price`: what one task costs you"
        priced = {f"budget.{name}": node for name, node in budget.items() if "cost" in name}
        for path, node in {**priced, "confirm_above": confirm}.items():
            if node is not None:
                reader.mistake(node, path, "needs a price to be kept", hint)
    given = {
        name: reader.value(top, TOP[name])
        for name in ("rate", "poll_interval", "visibility_grace", "task_timeout")
    }
    limits = Limits(
        **{name: value for name, value in given.items() if value is not None},
        budget_tasks=in_all.tasks,
        budget_cost=in_all.cost,
        per_day=per_day,
        per_run=per_run,
        confirm_above=above,
    )
    return with_concurrency(limits, reader.value(top, TOP["concurrency"]))


def _budget(given: Mapping[str, Node], kind: str, reader: Reader) -> Budget:
    """One kind of budget: over all, or for a time."""
    tasks = reader.value(given, BUDGET[f"tasks{kind}"], "budget.")
    cost = reader.value(given, BUDGET[f"cost{kind}"], "budget.")
    return Budget(tasks, None if cost is None else quantities.millionths(cost))


def _confirm(node: Node | None, reader: Reader) -> tuple[Node | None, Budget]:
    """Above what a run asks, and where an amount of money stands in it, if one does."""
    name = "confirm_above"
    if node is None:
        return None, Budget()
    if not isinstance(node, Table):
        amount = reader.convert(node, CONFIRM["cost"].parse, name)
        if amount is None:
            return None, Budget()
        return node, Budget(cost=quantities.millionths(amount))
    given = reader.fields(node, CONFIRM, f"{name}.")
    if not node.items:
        reader.mistake(node, name, "is empty", "write an amount, or {tasks: number}")
    cost = reader.value(given, CONFIRM["cost"], f"{name}.")
    tasks = reader.value(given, CONFIRM["tasks"], f"{name}.")
    return given.get("cost"), Budget(tasks, None if cost is None else quantities.millionths(cost))


def with_concurrency(limits: Limits, concurrency: int | str | None) -> Limits:
    """The limits with another concurrency: a number, `auto`, or None for the one they have."""
    if concurrency is None:
        return limits
    if isinstance(concurrency, str):
        return replace(limits, concurrency=AUTO_CEILING, auto=True)
    return replace(limits, concurrency=concurrency, auto=False)


def _doubt(limits: Limits, provider: str, top: Mapping[str, Node], reader: Reader) -> None:
    """Warn of limits that are allowed and hardly meant."""
    if provider == "runway" and limits.poll_interval < POLITE_INTERVAL:
        message = f"shorter than the {POLITE_INTERVAL:g}s that Runway asks for"
        reader.warn(top["poll_interval"], "poll_interval", message)
    if limits.visibility_grace > limits.task_timeout:
        name = "visibility_grace" if "visibility_grace" in top else "task_timeout"
        message = "visibility_grace is longer than task_timeout, which ends the wait first"
        reader.warn(top[name], name, message)


def _price(top: Mapping[str, Node], reader: Reader) -> Price | None:
    node = top.get("price")
    if node is None:
        return None
    if isinstance(node, Series):
        hint = "write a number, or a model and its price"
        reader.mistake(node, "price", "must be a mapping or a number, not a list", hint)
        return None
    if not isinstance(node, Table):
        return Price(every=_tariff(node, "price", reader))
    if node.items.keys() & PER_SECOND.keys():
        models = [key for name, (key, _) in node.items.items() if name in KNOWN]
        for key in models:
            hint = f"write `{key.text}: {{per_second: …}}`, for each model"
            message = "prices by model don't go with one for all"
            reader.mistake(key, f"price.{key.text}", message, hint)
        return None if models else Price(every=_tariff(node, "price", reader))
    if not node.items:
        reader.mistake(node, "price", "is empty", "write a number, or a model and its price")
    by_model = {}
    for name, (key, value) in node.items.items():
        path = f"price.{name[:60]}"
        tariff = _tariff(value, path, reader)
        if reader.convert(key, values.model, path) and tariff is not None:
            by_model[name] = tariff
    return Price(by_model=by_model)


def _tariff(node: Node, path: str, reader: Reader) -> Tariff | None:
    if not isinstance(node, Table):
        amount = reader.convert(node, quantities.amount, path)
        return None if amount is None else Tariff(amount)
    if not node.items:
        reader.mistake(node, path, "is empty", "write a number, or {per_second: number}")
    rate = reader.fields(node, PER_SECOND, f"{path}.")
    amount = reader.value(rate, PER_SECOND["per_second"], f"{path}.")
    return None if amount is None else Tariff(amount, per_second=True)
