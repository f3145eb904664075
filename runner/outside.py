"""What a run tells the outside, as its manifest's services ask; none of it can fail the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from runner import hooks, news, notify
from runner.ledger import Ledger
from runner.manifest import Services
from runner.news import News

MEMORY = "news"


@dataclass(frozen=True, slots=True)
class Novelty:
    """Whether a run says its last line, and whether anything changed since the one before."""

    speaks: bool
    changed: bool


class Outside:
    """One run's messengers. `warn` is called at once unless the run is quiet.

    A quiet run warns when there is other trouble than at the run before, so that a dead service
    is told once and not every minute.
    """

    def __init__(
        self,
        services: Services,
        facts: Mapping[str, str],
        environment: Mapping[str, str],
        *,
        secrets: tuple[tuple[str, ...], tuple[str, ...]],
        quiet: int = 0,
        warn: Callable[[str], None],
    ) -> None:
        """Resolve every address. Raises `ConfigurationError`; `secrets`: names and values."""
        referred = [
            text.removeprefix("env:")
            for text in (*services.notify, services.heartbeat, services.webhook)
            if text.startswith("env:")
        ]
        names, values = secrets
        self._environment = hooks.without_secrets(environment, (*names, *referred), values)
        self._services = replace(
            services,
            notify=tuple(
                notify.resolved(url, "notify.urls", environment) for url in services.notify
            ),
            heartbeat=notify.resolved(services.heartbeat, "heartbeat", environment),
            webhook=notify.resolved(services.webhook, "webhook", environment),
        )
        if services.notify:
            notify.check_apprise()
        self._facts = facts
        self._quiet = quiet
        self._warn = warn
        self._troubles: dict[str, list[str]] = {}

    def job_hooks(self) -> hooks.JobHooks:
        """What starts a program for each video that comes home."""
        asked = self._services
        return hooks.JobHooks(
            asked.on_job,
            self._environment,
            self._facts,
            asked.hook_timeout,
            lambda words: self._trouble("on_done.job", words),
        )

    def _trouble(self, service: str, words: str) -> None:
        if not words:
            return
        self._troubles.setdefault(service, []).append(words)
        if not self._quiet:
            self._warn(f"{service}: {words}")

    def begin(self) -> None:
        """Tell the heartbeat that a run starts."""
        if url := self._services.heartbeat:
            self._trouble("heartbeat", anyio.run(notify.beat, url, "start"))

    def abandon(self, words: str) -> None:
        """Tell the heartbeat that the run could not be made, or not to its end."""
        if url := self._services.heartbeat:
            anyio.run(notify.beat, url, "fail", words)

    def end(self, told: News, ledger: Ledger) -> Novelty:
        """Tell whoever is to be told, and remember in the state file what was."""
        kept = ledger.recall(MEMORY)
        before: dict[str, Any] = kept if isinstance(kept, dict) else {}
        after = dict(before)
        if self._services.heartbeat or self._services.notify or self._services.webhook:
            anyio.run(self._tell, told, before, after)
        if self._services.metrics:
            path = Path(self._services.metrics.replace("{name}", told.name))
            self._trouble("metrics", notify.write_metrics(path, news.metrics(told)))
        after |= {
            "picture": news.picture(told),
            "standing": news.standing(told),
            "ailing": sorted(self._troubles),
        }
        if self._quiet and after["ailing"] != before.get("ailing", []):
            for service, words in self._troubles.items():
                self._warn(f"{service}: {words[0]}")
        if after != before:
            ledger.remember(MEMORY, after)
        changed = before.get("picture") != after["picture"]
        return Novelty(news.speaks(self._quiet, told, before), changed)

    async def _tell(self, told: News, before: dict[str, Any], after: dict[str, Any]) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._beat, told)
            group.start_soon(self._message, told, before, after)
            group.start_soon(self._post, told, before, after)

    async def _beat(self, told: News) -> None:
        if url := self._services.heartbeat:
            event = "success" if told.well else "fail"
            self._trouble("heartbeat", await notify.beat(url, event, told.line))

    async def _message(self, told: News, before: dict[str, Any], after: dict[str, Any]) -> None:
        now = news.standing(told)
        if not self._services.notify or before.get("notified") == now:
            return
        trouble = ""
        if told.kind in self._services.notify_on:
            trouble = await notify.send_message(self._services.notify, *news.message(told))
        self._trouble("notify", trouble)
        if not trouble:
            after["notified"] = now

    async def _post(self, told: News, before: dict[str, Any], after: dict[str, Any]) -> None:
        now = news.picture(told)
        if not self._services.webhook or before.get("posted") == now:
            return
        trouble = await notify.post_json(self._services.webhook, news.summary_json(told))
        self._trouble("webhook", trouble)
        if not trouble:
            after["posted"] = now

    def finish(self, told: News) -> None:
        """Start the program that is asked for after a run; the state file is free by now."""
        if command := self._services.on_run:
            facts = {**news.environment(told), **self._facts}
            timeout = self._services.hook_timeout
            trouble = anyio.run(hooks.start, command, self._environment, facts, timeout)
            if trouble:
                self._warn(f"on_done.run: {trouble}")
