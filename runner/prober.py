"""Asks for images as a provider would: HEAD, then the first bytes; politely, and each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio

from runner import images
from runner.dialects import Answer
from runner.images import Fault, Picture
from runner.transport import TransportError

AT_ONCE = 16
PER_HOST = 6  # as many connections as a browser opens to one host
_PAUSES = (0.5, 2.0)  # seconds before another try
_GIVE_UP_HOST = 3  # images of one host in a row without an answer
_GIVE_UP = 20  # images without an answer before any host gave one: this machine is offline

Look = Callable[[str, str, int], Awaitable[Answer]]
Found = Picture | Fault


@dataclass(slots=True)
class _Host:
    """One host's images that are still to be asked for, and how long it has been silent."""

    urls: Iterator[str]
    silent: int = 0
    last: Fault | None = None


class Prober:
    """One round of questions. `look` asks (method, address, most bytes), as `Onlooker` does.

    A host that is silent three times in a row, each after three tries, is not asked for the rest.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._slots = anyio.CapacityLimiter(AT_ONCE)
        self._heard = False
        self._silent = 0
        self._last: Fault | None = None

    async def ask(self, urls: Iterable[str], tell: Callable[[str, Found], None]) -> None:
        """Ask for each of these addresses, all different; `tell` gets each answer as it comes."""
        hosts: dict[str, list[str]] = defaultdict(list)
        for url in urls:
            hosts[host_of(url)].append(url)
        async with anyio.create_task_group() as group:
            for mine in hosts.values():
                host = _Host(iter(mine))
                for _ in range(min(PER_HOST, len(mine))):
                    group.start_soon(self._visit, host, tell)

    async def _visit(self, host: _Host, tell: Callable[[str, Found], None]) -> None:
        for url in host.urls:
            async with self._slots:
                found = self._given_up(host) or await self._asked(url)
            reached = not isinstance(found, Fault) or found.reached
            self._heard = self._heard or reached
            if isinstance(found, Fault) and not reached:
                host.silent, host.last = host.silent + 1, found
                self._silent, self._last = self._silent + 1, found
            else:
                host.silent = 0
            tell(url, found)

    def _given_up(self, host: _Host) -> Fault | None:
        if host.silent >= _GIVE_UP_HOST:
            return host.last
        return self._last if not self._heard and self._silent >= _GIVE_UP else None

    async def _asked(self, url: str) -> Found:
        """The answer for one image; what may pass is tried again."""
        found = await self._once(url)
        for pause in _PAUSES:
            if not (isinstance(found, Fault) and found.passing):
                break
            await anyio.sleep(pause)
            found = await self._once(url)
        return found

    async def _once(self, url: str) -> Found:
        try:
            head = await self._look("HEAD", url, 0)
            if head.status not in images.NO_HEAD:
                fault = images.refusal(head) or images.misannounced(head)
                if fault:
                    return fault
            found: Found = images.silent("nothing was asked")
            for most in images.BOUNDS:
                found = images.judge(await self._look("GET", url, most))
                if not images.is_unmeasured(found):
                    break
            return found
        except TransportError as error:
            return images.silent(str(error))


def host_of(url: str) -> str:
    """The host of an address, with its port."""
    return urlsplit(url).netloc.lower()
