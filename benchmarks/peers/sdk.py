"""The official SDK, with gather and a semaphore: how its users run many tasks at once."""

from __future__ import annotations

import asyncio
import os

import httpx
import runwayml

from benchmarks.peers import PROMPT, Asked, asked


async def one(
    image: str, job: Asked, client: runwayml.AsyncRunwayML, films: httpx.AsyncClient
) -> None:
    """Create, wait as the SDK waits, download, sync."""
    task = await client.image_to_video.create(
        model="gen4_turbo", prompt_image=image, prompt_text=PROMPT, ratio="1280:720", duration=5
    )
    done = await task.wait_for_task_output()
    assert done.status == "SUCCEEDED"
    film = (await films.get(done.output[0])).raise_for_status().content
    with job.place(image).open("wb") as file:
        file.write(film)
        file.flush()
        os.fsync(file.fileno())


async def main() -> None:
    """All images, so many at once."""
    job = asked()
    places = asyncio.Semaphore(job.concurrency)
    async with (
        runwayml.AsyncRunwayML(base_url=job.base_url) as client,
        httpx.AsyncClient(timeout=60) as films,
    ):

        async def in_turn(image: str) -> None:
            async with places:
                await one(image, job, client, films)

        await asyncio.gather(*(in_turn(image) for image in job.images))


if __name__ == "__main__":
    asyncio.run(main())
