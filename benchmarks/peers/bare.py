"""The bare loop: the same traffic and the same durable writes, and nothing else.

It is a yardstick, not a client anybody should use: it heeds no error, no restart, no limit but
one. What the runner costs above it is the price of its promises.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3

import httpx
from httpx_aiohttp import AiohttpTransport

from benchmarks.peers import MODEL, PROMPT, RATIO, Asked, asked

HEADERS = {"Authorization": "Bearer bench", "X-Runway-Version": "2024-11-06"}


def opened(job: Asked) -> sqlite3.Connection:
    """A state file whose commits are on the disk when they return."""
    db = sqlite3.connect(job.videos / "state.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE IF NOT EXISTS jobs (image PRIMARY KEY, task_id, status)")
    return db


def save(job: Asked, image: str, film: bytes) -> None:
    """A synced file in a synced folder."""
    part = job.place(image).with_suffix(".part")
    with part.open("wb") as file:
        file.write(film)
        file.flush()
        os.fsync(file.fileno())
    part.rename(job.place(image))
    folder = os.open(job.videos, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


async def send(
    door: httpx.AsyncBaseTransport, method: str, url: str, body: object = None
) -> httpx.Response:
    """One request, asked of the transport itself as the runner does; its whole answer."""
    patience = {"timeout": {"connect": 60, "read": 60, "write": 60, "pool": 60}}
    request = httpx.Request(method, url, headers=HEADERS, json=body, extensions=patience)
    response = await door.handle_async_request(request)
    await response.aread()
    await response.aclose()
    assert response.status_code == 200, response.text
    return response


async def one(
    image: str,
    job: Asked,
    db: sqlite3.Connection,
    paid: httpx.AsyncBaseTransport,
    free: httpx.AsyncBaseTransport,
) -> None:
    """Commit, pay, commit, ask until it succeeded, download, sync, commit."""
    base = f"{job.base_url}/runwayml/v1"
    body = {"model": MODEL, "promptImage": image, "promptText": PROMPT, "ratio": RATIO}
    db.execute("INSERT OR REPLACE INTO jobs VALUES (?, '', 'submitting')", (image,))
    task_id = (await send(paid, "POST", f"{base}/image_to_video", body)).json()["id"]
    db.execute("UPDATE jobs SET task_id = ?, status = 'running' WHERE image = ?", (task_id, image))
    while True:
        await asyncio.sleep(job.interval)
        task = (await send(free, "GET", f"{base}/tasks/{task_id}")).json()
        if task["status"] == "SUCCEEDED":
            break
    film = (await send(free, "GET", task["output"][0])).content
    await asyncio.to_thread(save, job, image, film)
    db.execute("UPDATE jobs SET status = 'done' WHERE image = ?", (image,))


async def main() -> None:
    """All images, so many at once, on the same transports as the runner's."""
    job = asked()
    places = asyncio.Semaphore(job.concurrency)
    db = opened(job)
    fresh = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with (
        httpx.AsyncHTTPTransport(limits=fresh) as paid,
        AiohttpTransport(limits=httpx.Limits(max_connections=64)) as free,
    ):

        async def in_turn(image: str) -> None:
            async with places:
                await one(image, job, db, paid, free)

        await asyncio.gather(*(in_turn(image) for image in job.images))


if __name__ == "__main__":
    asyncio.run(main())
