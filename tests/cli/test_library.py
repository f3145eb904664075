"""The package as a library: what docs/python.md shows, and what it promises."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import MANIFEST, Desk
from reading import QUICK, ROOT, blocks

from runner import ConfigurationError, ManifestError, load, plan, run


def test_the_example_in_the_documents(provided: Callable[..., Desk]) -> None:
    """It buys what it planned, and tells every job and its file, or where the mistake is."""
    desk = provided(*QUICK)
    desk.manifest(2)
    assert desk.provider
    (code,) = blocks((ROOT / "docs" / "python.md").read_text(), "python")
    desk.write("example.py", code.replace("products", "batch"))
    world = desk.environment | {"PYTHONPATH": str(ROOT), "RUNNER_BASE_URL": desk.provider.url}

    def type_it() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "example.py"]
        return subprocess.run(
            command, cwd=desk.folder, env=world, capture_output=True, text=True, check=False
        )

    first = type_it()
    assert first.stderr == ""
    planned, came, *jobs = first.stdout.splitlines()
    assert planned.startswith("2 to buy: ['lamp-01', 'lamp-02'] ")
    assert came == "done 0 2"
    assert jobs == [f"lamp-0{n} done outputs/batch/lamp-0{n}.mp4" for n in (1, 2)]
    assert type_it().stdout.splitlines()[1] == "done 0 0"
    desk.manifest(0)
    wrong = type_it()
    assert (wrong.returncode, wrong.stderr) == (2, "")
    assert wrong.stdout.startswith("batch.yaml:")


def test_what_is_refused(tmp_path: Path) -> None:
    """Options, a plan that is another now, and an event loop; nothing is written."""
    path = tmp_path / "m.yaml"
    path.write_text(
        "version: 1\nprovider: sandbox\njobs:\n"
        "  - {image: https://a.example.com/a.jpg, model: gen3a_turbo, prompt: x}\n"
    )
    batch = load(path, state=tmp_path / "state.db", output=str(tmp_path / "out"))
    assert (plan(batch).counts["submit"], plan(batch).allowed) == (1, 1)
    for wrong in ({"rate": "fast"}, {"concurrency": 0}, {"first": -1}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            load(path, **wrong)  # type: ignore[arg-type]  # each of them is wrong on purpose

    async def within() -> None:
        run(batch)

    with pytest.raises(RuntimeError, match="to_thread"):
        asyncio.run(within())
    assert [each.name for each in tmp_path.iterdir()] == ["m.yaml"]
    with pytest.raises(ConfigurationError, match="not what was planned"):
        run(batch, plan="0123456789abcdef")
    path.write_text("version: 1\njobs:\n  - {imag: x}\n")
    with pytest.raises(ManifestError) as caught:
        load(path)
    assert caught.value.findings[0].line == 3


INTERRUPTED = """\
import os, signal
from runner import load, run

batch, pressed = load("batch.yaml"), []

def press(before, event, after):
    if type(event).__name__ == "{event}" and not pressed:
        pressed.append(after.id)
        os.kill(os.getpid(), signal.SIGINT)

try:
    run(batch, on_event=press)
except KeyboardInterrupt:
    print(*sorted(job.status for job in batch.jobs()))
handler = signal.getsignal(signal.SIGINT)
assert handler is signal.default_int_handler, handler
print(run(batch))
"""


@pytest.mark.parametrize(
    ("event", "left", "bought"),
    [
        ("SubmitStarted", "planned running", 1),  # its answer is waited for, and stored
        ("Accepted", "planned running", 1),
        ("Saved", "done running", 0),
    ],
)
def test_ctrl_c_is_the_hosts(
    provided: Callable[..., Desk], event: str, left: str, bought: int
) -> None:
    """A `KeyboardInterrupt` comes out of `run`; what was paid for stays known, and it goes on."""
    desk = provided(*QUICK)
    desk.manifest(2, MANIFEST.replace("concurrency: 3", "concurrency: 1"))
    assert desk.provider
    world = desk.environment | {"PYTHONPATH": str(ROOT), "RUNNER_BASE_URL": desk.provider.url}
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(event=event)],
        cwd=desk.folder, env=world, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    statuses, last = done.stdout.splitlines()
    assert statuses == left
    assert f"2 of 2 videos done, in outputs/batch; paid 2 tasks ({bought} in this run)" in last
    assert desk.audit()["duplicates"] == []
