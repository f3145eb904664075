"""Looks at the images of jobs before they are bought: for `check --online`, and before a run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from runner.account import Standing, ask_standing
from runner.batch import Batch
from runner.images import Fault, Picture, kept, misfit, recalled
from runner.inspection import Inspection, image_of, inspect
from runner.jobs import Entry
from runner.ledger import Ledger
from runner.manifest.addresses import private_host
from runner.prober import AT_ONCE, Found, Prober
from runner.standin import embedded_sandbox
from runner.transport import Onlooker, Transport
from runner.words import plural

_GOOD_FOR = 86_400.0  # seconds for which an image that was found well is not asked for again
_TOLD_EVERY = 1_000


def look_at(
    batch: Batch, entries: Sequence[Entry], ledger: Ledger | None, say: Callable[[str], None]
) -> Inspection:
    """Look at the images of these entries, each once, unless it was found well within a day.

    Without a ledger nothing is known, and nothing is kept. Raises `ConfigurationError`.
    """
    since = time.time() - _GOOD_FOR
    known = ledger.images(since) if ledger else {}
    found: dict[str, Found] = {}
    asking: dict[str, None] = {}
    for entry in entries:
        url = image_of(entry)
        if url in asking:
            continue
        picture = recalled(known.get(_digest(url)))
        if picture and not misfit(picture, str(entry.body["model"])):
            found[url] = picture
        elif host := private_host(url):
            found[url] = _unreachable(host)
        else:
            found.pop(url, None)
            asking[url] = None
    before = sum(isinstance(each, Picture) for each in found.values())
    if asking:
        say(f"looking at {plural(len(asking), 'image')}, free of charge ...")
        answers: dict[str, Found] = {}

        def tell(url: str, answer: Found) -> None:
            answers[url] = answer
            if len(answers) % _TOLD_EVERY == 0:
                say(f"{len(answers)} of {plural(len(asking), 'image')} looked at")

        try:
            anyio.run(_ask, batch, list(asking), tell)
        finally:
            well = {url: each for url, each in answers.items() if isinstance(each, Picture)}
            if ledger:
                rows = {_digest(url): kept(picture) for url, picture in well.items()}
                ledger.keep_images(rows, time.time(), since)
        found |= answers
    return inspect(entries, found, before)


def _unreachable(host: str) -> Fault:
    return Fault(f"is on {host}, which is no public domain name", "put it on a public web server")


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


async def _ask(batch: Batch, urls: Sequence[str], tell: Callable[[str, Found], None]) -> None:
    async with provider_address(batch) as base_url:
        pretended = batch.api.name == "sandbox"

        def place(url: str) -> str:
            """Where an image is asked for: a rehearsal asks no host but the stand-in."""
            return f"{base_url}/pictures/{url.partition('://')[2]}" if pretended else url

        async with Onlooker(AT_ONCE, proxies=not pretended) as onlooker:
            prober = Prober(lambda method, url, most: onlooker.look(method, place(url), most))
            await prober.ask(urls, tell)


@asynccontextmanager
async def provider_address(batch: Batch) -> AsyncIterator[str]:
    """The provider's base URL; a stand-in for this occasion where the batch has one of its own."""
    async with AsyncExitStack() as parts:
        yield (
            await parts.enter_async_context(embedded_sandbox(None))
            if batch.embedded
            else batch.base_url
        )


def ask_key(batch: Batch, key: str) -> Standing:
    """Whether the provider takes the key."""
    return anyio.run(_ask_key, batch, key)


async def _ask_key(batch: Batch, key: str) -> Standing:
    headers = {
        "Authorization": f"Bearer {key}",
        "X-Runway-Version": batch.manifest.runway_version,
    }
    async with provider_address(batch) as base_url, Transport(base_url, headers) as transport:
        return await ask_standing(batch.api, transport)
