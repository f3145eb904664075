"""The bare loop: the same traffic and the same durable writes, and nothing else.

It is a yardstick, not a client anybody should use: it heeds no error, no restart, no limit but
one. What the runner costs above it is the price of its promises.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3

import httpx

from benchmarks.peers import MODEL, PROMPT, RATIO, Asked, asked
from runner.transport.carriers import Carrier, Single
from runner.transport.pooled import Pooled

HEADERS = {"Authorization": "Bearer bench", "X-Runway-Version": "2024-11-06"}
TIMEOUT = httpx.Timeout(60)


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


async def send(carrier: Carrier, method: str, url: str, body: object = None) -> bytes:
    """One request, carried as the runner's are; its whole answer."""
    content = b"" if body is None else json.dumps(body).encode()
    reply = await carrier.send(method, url, HEADERS, content)
    whole = b"".join([piece async for piece in reply.pieces])
    await reply.aclose()
    assert reply.status == 200, whole
    return whole


async def one(
    image: str,
    job: Asked,
    db: sqlite3.Connection,
    paid: Carrier,
    free: Carrier,
) -> None:
    """Commit, pay, commit, ask until it succeeded, download, sync, commit."""
    base = f"{job.base_url}/runwayml/v1"
    body = {"model": MODEL, "promptImage": image, "promptText": PROMPT, "ratio": RATIO}
    db.execute("INSERT OR REPLACE INTO jobs VALUES (?, '', 'submitting')", (image,))
    task_id = json.loads(await send(paid, "POST", f"{base}/image_to_video", body))["id"]
    db.execute("UPDATE jobs SET task_id = ?, status = 'running' WHERE image = ?", (task_id, image))
    while True:
        await asyncio.sleep(job.interval)
        task = json.loads(await send(free, "GET", f"{base}/tasks/{task_id}"))
        if task["status"] == "SUCCEEDED":
            break
    film = await send(free, "GET", task["output"][0])
    await asyncio.to_thread(save, job, image, film)
    db.execute("UPDATE jobs SET status = 'done' WHERE image = ?", (image,))


async def main() -> None:
    """All images, so many at once, on the same transports as the runner's."""
    job = asked()
    places = asyncio.Semaphore(job.concurrency)
    db = opened(job)
    free = Pooled(None, TIMEOUT, limit=64, whole=60.0)
    paid = Single(None, TIMEOUT)

    async def in_turn(image: str) -> None:
        async with places:
            await one(image, job, db, paid, free)

    await asyncio.gather(*(in_turn(image) for image in job.images))
    await free.aclose()


if __name__ == "__main__":
    asyncio.run(main())
