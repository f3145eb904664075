"""The in-process transport under virtual time: minutes pass at once, and errors are httpx's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from runner.sandbox import Fault, SandboxTransport, Settings, Simulator, Span

from .sandbox_world import BODY, COMET, HEADERS

API = "https://api.cometapi.com"
Story = Callable[[httpx.AsyncClient, Simulator], Awaitable[Any]]


def tell(story: Story, *faults: str, **settings: Any) -> Any:
    """Run a story against a sandbox on a clock that jumps whenever everybody waits."""

    async def run() -> Any:
        known = Settings(faults=tuple(map(Fault.parse, faults)), **settings)
        simulator = Simulator(known, trio.current_time)
        limits = httpx.Timeout(20, connect=5, pool=7)
        async with httpx.AsyncClient(
            transport=SandboxTransport(simulator), base_url=API, headers=HEADERS, timeout=limits
        ) as client:
            return await story(client, simulator)

    return trio.run(run, clock=MockClock(autojump_threshold=0))


async def create(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    """POST one task."""
    return await client.post(f"{COMET}/image_to_video", json={**BODY, **body})


async def film(client: httpx.AsyncClient) -> httpx.Response:
    """Create a task, wait for its end, and fetch its film without the key."""
    task_id = (await create(client)).json()["id"]
    while "output" not in (task := (await client.get(f"{COMET}/tasks/{task_id}")).json()):
        await trio.sleep(5)
    del client.headers["authorization"]
    return await client.get(task["output"][0])


def test_ten_minutes_take_no_time() -> None:
    """A whole journey, a long render included, with the film at its end."""

    async def story(client: httpx.AsyncClient, simulator: Simulator) -> float:
        start = trio.current_time()
        answer = await film(client)
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.content[4:8] == b"ftyp"
        assert answer.url.host == "api.cometapi.com"
        assert simulator.audit()["film_requests_with_key"] == 0
        return trio.current_time() - start

    assert 600 <= tell(story, render=Span(600, 600)) < 610


@pytest.mark.parametrize(
    ("fault", "error", "waited", "charged"),
    [
        ("submit:slow:60", httpx.ReadTimeout, 20, 1),
        ("submit:connect-error", httpx.ConnectError, 0, 0),
        ("submit:connect-timeout", httpx.ConnectTimeout, 5, 0),
        ("submit:pool-timeout", httpx.PoolTimeout, 7, 0),
        ("submit:cut", httpx.RemoteProtocolError, 0, 0),
        ("submit:reset", httpx.ReadError, 0, 0),
        ("submit:charged-then-cut", httpx.RemoteProtocolError, 0, 1),
        ("submit:charged-then-reset", httpx.ReadError, 0, 1),
    ],
)
def test_a_submit_fails_as_httpx_would(
    fault: str, error: type[httpx.TransportError], waited: float, charged: int
) -> None:
    """The error, the time it takes, and whether it was paid."""

    async def story(client: httpx.AsyncClient, simulator: Simulator) -> tuple[float, int]:
        start = trio.current_time()
        with pytest.raises(error) as caught:
            await create(client)
        assert type(caught.value) is error
        return trio.current_time() - start, len(simulator.charges)

    took, paid = tell(story, fault)
    assert took == pytest.approx(waited)
    assert paid == charged


def test_a_late_answer_within_the_limit_arrives() -> None:
    """Slower than usual is not too slow; without a limit one waits for ever."""

    async def story(client: httpx.AsyncClient, _: Simulator) -> float:
        start = trio.current_time()
        assert (await create(client)).status_code == 200
        client.timeout = httpx.Timeout(None)
        assert (await create(client)).status_code == 200
        return trio.current_time() - start

    assert tell(story, "submit:slow:15") == pytest.approx(30)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("film:truncated", httpx.RemoteProtocolError),
        ("film:truncated-reset", httpx.ReadError),
        ("film:cut", httpx.RemoteProtocolError),
    ],
)
def test_a_film_breaks_off(fault: str, error: type[httpx.TransportError]) -> None:
    """A download that ends early raises, after the bytes that did come."""

    async def story(client: httpx.AsyncClient, _: Simulator) -> None:
        with pytest.raises(error):
            await film(client)

    tell(story, fault)


def test_a_film_without_length_is_whole() -> None:
    """No Content-Length, all of the bytes."""

    async def story(client: httpx.AsyncClient, _: Simulator) -> None:
        answer = await film(client)
        assert "content-length" not in answer.headers
        assert b"mdat" in answer.content

    tell(story, "film:no-length")
