"""A simulator with a clock in the test's hand, and short ways to talk to it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from runner.sandbox import Fault, Reply, Request, Settings, Simulator, Span

EPOCH = 1_800_000_000.0
HEADERS = {"authorization": "Bearer key", "x-runway-version": "2024-11-06"}
BODY = {"promptImage": "https://example.com/cat.jpg", "model": "gen3a_turbo"}
COMET = "/runwayml/v1"
RUNWAY = "/v1"


class World:
    """One sandbox in virtual time. Tasks are pending for 1 s and render for 4 s unless told."""

    def __init__(self, *faults: str, **settings: Any) -> None:
        known = {"render": Span(4, 4), "queue": Span(1, 1), **settings}
        self.records: list[dict[str, Any]] = []
        self.now = EPOCH
        self.simulator = Simulator(
            Settings(faults=tuple(map(Fault.parse, faults)), **known),
            lambda: self.now,
            self.records.append,
        )

    def send(
        self,
        method: str,
        target: str,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One request; `body` goes as JSON unless it is bytes already."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        raw = data if isinstance(data, bytes) else data.encode()
        given = HEADERS if headers is None else headers
        return self.simulator.handle(Request(method, target, given, raw, "https://sandbox.test"))

    def create(self, house: str = COMET, **body: Any) -> Reply:
        """POST a task, asking for `body` on top of what is required."""
        return self.send("POST", f"{house}/image_to_video", {**BODY, **body})

    def submit(self, house: str = COMET, **body: Any) -> str:
        """POST a task that must be accepted; its id."""
        reply = self.create(house, **body)
        assert reply.status == 200, reply
        return str(content(reply)["id"])

    def poll(self, task_id: str, house: str = COMET) -> Any:
        """The JSON of a task's details."""
        return content(self.send("GET", f"{house}/tasks/{task_id}"))

    def feed(self, task_id: str) -> Any:
        """The JSON of the feed for a task."""
        return content(self.send("POST", "/runway/feed", {"task_id": task_id}))

    def film(self, link: str, method: str = "GET", **headers: str) -> Reply:
        """Fetch a film as a good client does: without the key."""
        url = urlsplit(link)
        return self.send(method, f"{url.path}?{url.query}", headers=headers)

    def finished(self, **body: Any) -> tuple[str, str]:
        """A task that has run to its end: its id and its film's link."""
        task_id = self.submit(**body)
        self.now += 5
        return task_id, self.poll(task_id, RUNWAY)["output"][0]


def content(reply: Reply) -> Any:
    """The JSON in a reply."""
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)
