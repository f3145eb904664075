"""Performs one step at the provider and returns the one event it amounts to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.apis import Api
from runner.dialects import read_submit, read_task
from runner.download import Downloader
from runner.events import Event, Lost, NotSent, PollFailed
from runner.jobs import Fetch, Job, Poll, Problem, Step, Submit
from runner.transport import BrokenError, NotSentError, Transport


class Provider:
    """The engine's `perform`: Step -> Event. Remote failures are events, never exceptions."""

    def __init__(
        self,
        api: Api,
        transport: Transport,
        downloader: Downloader,
        place: Callable[[Job], Path],
        wall: Callable[[], float] = time.time,
        *,
        tags: Callable[[Job], Mapping[str, str]] = lambda job: {},
    ) -> None:
        self._api = api
        self._transport = transport
        self._downloader = downloader
        self._place = place
        self._wall = wall
        self._tags = tags

    async def perform(self, step: Step) -> Event:
        """Do one step. Shielding a paid one from cancellation is the caller's business."""
        match step:
            case Poll(job=job, feed=feed):
                return await self._poll(job, feed=feed and bool(self._api.feed))
            case Submit(job=job):
                return await self._submit(job)
            case Fetch(job=job):
                place, tags = self._place(job), self._tags(job)
                return await self._downloader.fetch(job.url, job.task_id, place, tags)

    async def _submit(self, job: Job) -> Event:
        try:
            answer = await self._transport.pay(self._api.submit, job.body)
        except NotSentError as error:
            return NotSent(Problem("not_sent", f"the provider was not reached: {error}"))
        except BrokenError as error:
            return Lost(Problem("no_answer", f"sent, but the answer never came: {error}"))
        return read_submit(answer, self._wall())

    async def _poll(self, job: Job, *, feed: bool) -> Event:
        try:
            if feed:
                body = {"task_id": job.task_id}
                answer = await self._transport.ask("POST", self._api.feed, body)
            else:
                answer = await self._transport.ask("GET", self._api.task.format(id=job.task_id))
        except (NotSentError, BrokenError) as error:
            return PollFailed(Problem("no_answer", str(error)))
        return read_task(answer, job.task_id, self._wall())
