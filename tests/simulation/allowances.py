"""How often the operator allowed each thing to be paid for, reckoned without the runner's help."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

from runner.jobs import Body, Job, Status
from simulation.wishes import Wish

RISKED = 3  # attempts that one permission stands for, when lost submits may be bought again


def key_of(body: Mapping[str, object]) -> str:
    """A request's content, as one text."""
    return json.dumps(dict(body), sort_keys=True)


class Allowances:
    """Permissions to pay, by content and by pool.

    Entries that can't be told apart for sure (of one image without ids, or of the same content)
    share a pool: what counts is that no more is paid than was allowed for all of them.
    """

    def __init__(self) -> None:
        self.risky = False
        self._granted: set[tuple[int, int]] = set()
        self._grants: list[str] = []
        self._retries: list[str] = []
        self._seen: dict[str, set[tuple[int, int]]] = {}
        self._parents: dict[Hashable, Hashable] = {}

    def grant(
        self,
        wishes: Sequence[tuple[Wish, Body]],
        jobs: Iterable[Job],
        useless: Iterable[str],
        *,
        accept: bool,
    ) -> None:
        """The operator starts a run with this manifest, over these rows.

        A new wish may be paid for once, and one that no run came so far as to see is new; one that
        was changed and renamed can't be told from a new one. A changed one only if nothing was
        paid for it, what was paid came to nothing (`useless` are the contents of which that is
        so), or by `accept`.
        """
        rows = list(jobs)
        for wish, body in wishes:
            content = key_of(body)
            self._seen.setdefault(content, set()).add((wish.uid, wish.revision))
            self._unite(("wish", wish.uid), content)
            if not wish.id:
                self._unite(("image", wish.image), content)
        free = {Status.PLANNED, Status.FAILED}
        open_pools = {self._pool(key_of(job.body)) for job in rows if job.status in free}
        contents, names = {key_of(job.body) for job in rows}, {job.id for job in rows}
        nothing_came = set(useless)
        seen_before = {uid for uid, _ in self._granted}
        for wish, body in wishes:
            content = key_of(body)
            unheard_of = bool(wish.id) and wish.id not in names and content not in contents
            new = wish.uid not in seen_before or unheard_of
            allowed = new or accept or content in nothing_came
            if (wish.uid, wish.revision) not in self._granted and (
                allowed or self._pool(content) in open_pools
            ):
                self._granted.add((wish.uid, wish.revision))
                self._grants.append(content)

    def retried(self, body: Body) -> None:
        """The operator put a failed job back, or has a finished one bought again."""
        self._retries.append(key_of(body))

    def not_retried(self, body: Body) -> None:
        """The operator sees that a command that died has not done it."""
        self._retries.remove(key_of(body))

    def breaches(self, charges: Iterable[Mapping[str, object]]) -> list[str]:
        """What was charged more often than allowed."""
        factor = RISKED if self.risky else 1
        charged = Counter(key_of(body) for body in charges)
        retries = Counter(self._retries)
        found = []
        for content, number in charged.items():
            most = (len(self._seen.get(content, ())) + retries[content]) * factor
            if number > most:
                found.append(f"{number} charges where {most} were allowed: {content}")
        pools: Counter[Hashable] = Counter()
        for content, number in charged.items():
            pools[self._pool(content)] += number
        allowed = Counter(self._pool(content) for content in (*self._grants, *self._retries))
        for pool, number in pools.items():
            if number > allowed[pool] * factor:
                found.append(
                    f"{number} charges where {allowed[pool] * factor} were allowed: {pool}"
                )
        return found

    def _pool(self, name: Hashable) -> Hashable:
        while (parent := self._parents.get(name, name)) != name:
            name = parent
        return name

    def _unite(self, one: Hashable, other: Hashable) -> None:
        first, second = self._pool(one), self._pool(other)
        if first != second:
            self._parents[first] = second
