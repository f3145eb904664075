"""The package as a library: `load` a manifest, `plan` what it would buy, `run` it.

The command line calls these too. Nothing here prints, exits or touches a signal; what a user can
get wrong is a `RunnerError` (see `runner.errors`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from runner.batch import Batch, Options, prepare
from runner.credentials import check_key, read_key
from runner.errors import ConfigurationError
from runner.events import Event
from runner.jobs import Job, Rate
from runner.manifest import read_field
from runner.planning import Plan, planned

if TYPE_CHECKING:
    from runner.company import Company
    from runner.session import Outcome

__all__ = ["load", "plan", "run"]


def load(
    manifest: str | Path,
    *,
    state: str | Path | None = None,
    output: str = "",
    base_url: str = "",
    sandbox: bool = False,
    concurrency: int | Literal["auto"] | None = None,
    rate: str | Rate | None = None,
    poll_interval: float | str | None = None,
    only: Sequence[str] = (),
    first: int | None = None,
    sample: int | None = None,
    max_tasks: int | None = None,
    accept_changes: bool = False,
    resubmit_uncertain: bool = False,
) -> Batch:
    """Read a manifest, and settle what it and these options mean together.

    The options are those of `runner run`, and go before the manifest's word. `only`, `first`,
    `sample` and `max_tasks` limit what may be bought. Nothing is written or sent.

    Raises `ManifestError` with every mistake and its line, `ConfigurationError` for an option.
    """
    for name, number in {"first": first, "sample": sample, "max_tasks": max_tasks}.items():
        if number is not None and number < 0:
            raise ConfigurationError(f"{name}: {number} is less than 0")
    if isinstance(only, str):
        only = (only,)
    return prepare(
        Options(
            Path(manifest),
            state=None if state is None else Path(state),
            output=output,
            base_url=base_url,
            sandbox=sandbox,
            concurrency=read_field("concurrency", concurrency),
            rate=rate if isinstance(rate, Rate) else read_field("rate", rate),
            poll_interval=read_field("poll_interval", poll_interval),
            only=tuple(only),
            first=first,
            sample=sample,
            max_tasks=max_tasks,
            accept_changes=accept_changes,
            resubmit_uncertain=resubmit_uncertain,
        )
    )


def plan(batch: Batch) -> Plan:
    """What the next run would do and buy, without doing it.

    May be asked while a run goes on. Raises `StateError`, also for a state file of another
    provider, and `ConfigurationError` for an id in `only` that is not in the manifest.
    """
    with batch.view(to_run=True) as (view, spent):
        return planned(view, batch.limits, spent)


def run(
    batch: Batch,
    *,
    key: str | None = None,
    once: bool = False,
    deadline: float | None = None,
    plan: Plan | str = "",
    yes: bool = False,
    on_event: Callable[[Job, Event, Job], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
    hidden: Sequence[str] = (),
    company: Company | None = None,
) -> Outcome:
    """Submit, poll and download until nothing is left to do, or nothing more may be done.

    Blocks, and needs a thread without an event loop. `key` is the API key; None reads it from the
    provider's variable. `once` makes it one pass, as `runner tick` does; `deadline` ends it cleanly
    after so many seconds. With a `plan`, or its digest, that is bought and nothing else. `yes`
    agrees to more than the manifest's `confirm_above`. `on_event` gets each job before and after
    each event, once it is stored; `on_warning` the words of trouble that ends nothing. `company`
    sees more, may be asked and may stop the run. `hidden` names variables with secrets that the
    manifest's programs don't get.

    Signals are the host's. A `KeyboardInterrupt` that Python's own handler makes of Ctrl-C comes
    out of it once the submits in the air are answered and stored; the next run goes on from there.

    Failed jobs raise nothing: they are in the outcome. Raises `ConfigurationError` (nothing was
    sent), `LockedError` while another run holds the state file, `StateError` when it can't be used.
    """
    from runner.company import Listener  # noqa: PLC0415 - loading and planning need none of this
    from runner.session import Terms, work  # noqa: PLC0415

    if _in_event_loop():
        raise RuntimeError("run() blocks: from an event loop, call asyncio.to_thread(run, batch)")
    if key is None:
        key = read_key(batch.api, None)
    elif batch.api.key_variable:
        key = check_key(key, "key")
    digest = plan.digest if isinstance(plan, Plan) else plan
    terms = Terms(once=once, deadline=deadline, plan=digest, yes=yes, hidden=tuple(hidden))
    return work(batch, key, terms, company or Listener(on_event, on_warning))


def _in_event_loop() -> bool:
    """Whether this thread runs one; where asyncio was never imported, there is none."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio.events._get_running_loop() is not None
