"""Whether the provider takes the key, and what it says of the balance; asked free of charge.

Runway tells both under `/v1/organization` (its Python SDK, runwayml 5.24). CometAPI has no such
call under the address that tasks go to: its balance is on another host, with the key in the
address, where proxies and logs keep it, so it is not asked. A question about a task that can't
exist tells there: a bad key is refused with 401, a good one gets "no such task".
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from runner.apis import Api
from runner.dialects import Answer, read_task
from runner.events import AccountRefused, Invisible
from runner.transport import Transport, TransportError

NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the provider says of a key: `accepted` is None when it could not be told."""

    accepted: bool | None
    words: str


async def ask_standing(api: Api, transport: Transport) -> Standing:
    """Ask whether the key is good. Never raises for anything that an answer can hold."""
    path = api.account or api.task.replace("{id}", NOBODY)
    try:
        answer = await transport.ask("GET", path)
    except TransportError as error:
        return Standing(None, f"could not be told: {error}")
    return read_standing(answer, time.time())


def read_standing(answer: Answer, now: float) -> Standing:
    """What an answer says of the key."""
    if (balance := _balance(answer)) is not None:
        return Standing(True, f"accepted, with a balance of {balance:,} credits")
    event = read_task(answer, NOBODY, now)
    if isinstance(event, AccountRefused):
        return Standing(False, f"refused: {event.problem.code}: {event.problem.message}")
    if isinstance(event, Invisible):
        return Standing(True, "accepted")
    return Standing(None, f"could not be told: the provider answers {answer.status}")


def _balance(answer: Answer) -> int | None:
    if answer.status != 200:
        return None
    try:
        payload = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    balance = payload.get("creditBalance") if isinstance(payload, dict) else None
    whole = isinstance(balance, int) and not isinstance(balance, bool)
    return balance if whole else None
