"""The tutorial's script: one image after the other, a sleep between two questions."""

from __future__ import annotations

import os
import time

import httpx

from benchmarks.peers import MODEL, PROMPT, RATIO, asked

HEADERS = {
    "Authorization": f"Bearer {os.environ.get('COMETAPI_KEY')}",
    "X-Runway-Version": "2024-11-06",
}


def main() -> None:
    """Submit, ask until it succeeded, save; then the next."""
    job = asked()
    base = f"{job.base_url}/runwayml/v1"
    for image in job.images:
        body = {"model": MODEL, "promptImage": image, "promptText": PROMPT, "ratio": RATIO}
        created = httpx.post(f"{base}/image_to_video", headers=HEADERS, json=body)
        task_id = created.raise_for_status().json()["id"]
        while True:
            time.sleep(job.interval)
            task = httpx.get(f"{base}/tasks/{task_id}", headers=HEADERS).raise_for_status().json()
            if task["status"] == "SUCCEEDED":
                break
        film = httpx.get(task["output"][0]).raise_for_status().content
        job.place(image).write_bytes(film)


if __name__ == "__main__":
    main()
