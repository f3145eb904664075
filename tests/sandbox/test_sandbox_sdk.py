"""The official client as a second opinion: it must get its film from the sandbox unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.from_thread
import httpx
import pytest
import runwayml
import runwayml.lib.polling
from runwayml import RunwayML

from runner.sandbox import Fault, Server, Settings, Span, serve, tiny


@contextmanager
def sandbox(*faults: str) -> Iterator[Server]:
    """A server in a thread of its own."""
    settings = Settings(
        render=Span(0.05, 0.05),
        queue=Span(0.05, 0.05),
        faults=tuple(map(Fault.parse, faults)),
    )
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(settings, render=tiny)) as server,
    ):
        yield server


def client(server: Server, path: str) -> RunwayML:
    """The official client with its base address at the sandbox, and no retries of its own."""
    return RunwayML(api_key="key", base_url=server.base_url + path, max_retries=0)


@pytest.fixture
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client polls every 30 ms instead of every 6 s."""
    monkeypatch.setattr(runwayml.lib.polling, "POLL_TIME", 0.03)
    monkeypatch.setattr(runwayml.lib.polling, "POLL_JITTER", 0)


@pytest.mark.usefixtures("_quick_polls")
@pytest.mark.parametrize("path", ["", "/runwayml"])
def test_the_official_client_gets_its_film(path: str) -> None:
    """From create to the film, at Runway's address and at CometAPI's."""
    with sandbox() as server, client(server, path) as official:
        task = official.image_to_video.create(
            model="gen4_turbo",
            prompt_image="https://example.com/cat.jpg",
            prompt_text="The cat yawns",
            ratio="1280:720",
            duration=5,
        )
        done = task.wait_for_task_output(timeout=5)
        assert done.status == "SUCCEEDED"
        assert httpx.get(done.output[0]).content[4:8] == b"ftyp"
        audit = server.simulator.audit()
        assert (audit["charged"], audit["film_requests_with_key"]) == (1, 0)
        official.tasks.delete(task.id)
        with pytest.raises((runwayml.NotFoundError, runwayml.BadRequestError)):
            official.tasks.retrieve(task.id)


@pytest.mark.usefixtures("_quick_polls")
def test_the_official_client_understands_failures() -> None:
    """A failed task and refused requests become its own errors."""
    asked = {"model": "gen3a_turbo", "prompt_image": "https://example.com/cat.jpg"}
    faults = ("task:SAFETY.INPUT.TEXT", "submit:429#1")
    with sandbox(*faults) as server, client(server, "") as official:
        create: Any = official.image_to_video.create
        with pytest.raises(runwayml.RateLimitError):
            create(**asked, ratio="1280:768")
        with pytest.raises(runwayml.BadRequestError, match="Validation of body failed"):
            create(**asked, ratio="1:1")
        with pytest.raises(runwayml.TaskFailedError) as failed:
            create(**asked, ratio="1280:768").wait_for_task_output(timeout=5)
        details: Any = failed.value.task_details
        assert details.failure_code == "SAFETY.INPUT.TEXT"
