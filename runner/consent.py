"""What must be well before a run buys: somebody's consent, and the images if so wished."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runner.batch import Batch
from runner.company import Company
from runner.errors import ConfigurationError
from runner.jobs import Budget, Ending, Entry, Problem, Spent, Stop
from runner.ledger import Ledger
from runner.overview import Overview, affordable, plan_digest, total_cost
from runner.policy import needs_consent
from runner.words import allowance, money, plural

_SHOWN = 20


def agree(
    batch: Batch,
    view: Overview,
    spent: tuple[int, int],
    *,
    plan: str = "",
    yes: bool = False,
    ask: Callable[[str], bool | None],
) -> None:
    """Make sure that what this run would buy is what somebody wants.

    `plan` is the digest of what was agreed to; `ask` puts a question to somebody, None: nobody.
    Raises `ConfigurationError` when it is not, or when there is nobody to ask; nothing is sent.
    """
    limits, orders = batch.limits, view.buying
    if plan:
        _compare(plan, orders, batch)
        return
    free = not batch.api.key_variable
    if free or yes or limits.confirm_above == Budget():
        return
    planned = orders[: affordable(orders, limits, spent, view.today)]
    cost = total_cost(planned)
    if not needs_consent(Spent(len(planned), cost or 0), limits):
        return
    price = "" if cost is None else f" for {money(cost)}"
    words = (
        f"{batch.name}: this run would buy {plural(len(planned), 'task')}{price}, "
        f"more than confirm_above ({allowance(limits.confirm_above)})"
    )
    agreed = ask(f"{words}. Buy them?")
    if agreed is None:
        raise ConfigurationError(f"{words}: nothing was sent; add --yes to agree, or --max-tasks N")
    if not agreed:
        raise ConfigurationError("not agreed: nothing was sent")


def refuse_images(batch: Batch, view: Overview, ledger: Ledger, company: Company) -> Ending | None:
    """Look at the images of what would be bought, if the manifest wishes it, and tell of them.

    Returns how a run ends that may buy nothing: an image is bad, or none could be looked at, and
    the preflight is strict. A quiet run says it with its last words alone.
    """
    mode = batch.manifest.preflight
    if mode == "off":
        return None
    orders = view.buying
    orders = orders[: affordable(orders, batch.limits, ledger.spent(), view.today)]
    if not orders:
        return None
    from runner.preflight import look_at  # noqa: PLC0415 - brings an HTTP client

    found = look_at(batch, orders, ledger, company.prepare)
    company.prepare(f"preflight: {found.line}")
    strict = mode == "strict"
    for words in () if company.quiet and strict else found.lines(_SHOWN):
        company.warn(words)
    if found.fine or not strict:
        return None
    first = f"; {found.lines()[0]}" if company.quiet else ""
    stop = Stop.OFFLINE if found.offline else Stop.IMAGES
    return Ending(stop, Problem("images", found.line + first))


def _compare(asked: str, orders: Sequence[Entry], batch: Batch) -> None:
    """Refuse another purchase than the one planned. To buy nothing at all is always agreed to."""
    found = plan_digest(orders)
    if orders and found != asked.strip().lower():
        cost = total_cost(orders)
        price = "" if cost is None else f" for {money(cost)}"
        raise ConfigurationError(
            f"{batch.manifest.path}: what would be bought is not what was planned as {asked}: now "
            f"it is {plural(len(orders), 'task')}{price} ({found}); nothing was sent, look at "
            "`runner plan` again"
        )
