"""The machine misbehaves: full disks, missing folders, locked files, no network."""

from __future__ import annotations

import os
import resource
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from desk import MANIFEST, Desk

Provided = Callable[..., Desk]

QUICK = ("--render", "100ms..200ms", "--queue", "50ms..50ms")


def limited(desk: Desk, limit: int, value: int, *arguments: str) -> tuple[int, str]:
    """The command under a resource limit; exit code and all it said."""
    if desk.provider:
        desk.environment["RUNNER_BASE_URL"] = desk.provider.url
    code = (
        f"import resource, runner.cli; resource.setrlimit({limit}, ({value}, {value}));"
        f"runner.cli.main({list(arguments)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=desk.folder,
        env=desk.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_no_room_for_a_video(provided: Provided) -> None:
    """Files may not grow so large: exit 3 with the reason; with room again it is fetched."""
    desk = provided(*QUICK, "--films", "real")
    desk.manifest(
        1, MANIFEST.replace("slow push in", "x").replace("{model", "{duration: 10, model")
    )
    code, said = limited(desk, resource.RLIMIT_FSIZE, 220_000, "run", "batch.yaml")
    assert code == 3
    assert "a video can't be written" in said
    assert not list((desk.folder / "outputs").rglob("*.mp4*"))
    desk.run("run", "batch.yaml")
    assert desk.audit()["charged"] == 1


@pytest.mark.parametrize("room", [66_000, 90_000, 120_000, 200_000])
def test_no_room_for_a_commit(provided: Provided, room: int) -> None:
    """The state file can't grow: the run stops, says so, and no charged id is lost."""
    desk = provided(*QUICK)
    desk.manifest(20)
    code, said = limited(desk, resource.RLIMIT_FSIZE, room, "run", "batch.yaml")
    assert code in {2, 3}
    assert "state file" in said
    charged = desk.audit()["charged"]
    again = desk.run("run", "batch.yaml", code=None)
    counts = desk.status()["counts"]
    assert counts["done"] == 20, (again.stdout, counts)
    assert desk.audit()["charged"] == 20 >= charged
    assert desk.audit()["duplicates"] == []


def test_too_many_open_files(provided: Provided) -> None:
    """What can't be opened was never sent: once there is room, it is tried again."""
    desk = provided(*QUICK)
    desk.manifest(10, MANIFEST.replace("concurrency: 3", "concurrency: 10"))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    desk.environment["RUNNER_BASE_URL"] = desk.provider.url if desk.provider else ""
    code = (
        "import resource, runner.cli;"
        f"resource.setrlimit({resource.RLIMIT_NOFILE}, (19, {most[1]}));"
        "runner.cli.main(['run', 'batch.yaml'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=desk.folder,
        env=desk.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Too many open files" in line or "was not reached" in line:
            break
    else:
        pytest.fail("no connection failed")
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, most)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert desk.audit()["charged"] == 10


def test_the_output_folder_vanishes(provided: Provided) -> None:
    """Deleted while the run goes on, it is made again."""
    desk = provided("--render", "1s..1s")
    desk.manifest(2)
    (desk.folder / "outputs" / "batch").mkdir(parents=True)
    process = desk.start("run", "batch.yaml", "--progress", "json")
    assert process.stdout is not None
    process.stdout.readline()
    (desk.folder / "outputs" / "batch").rmdir()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_state_file_held_by_another_program(provided: Provided) -> None:
    """A program that keeps the database to itself: a clear word, nothing sent."""
    desk = provided(*QUICK)
    desk.manifest(1)
    desk.run("run", "batch.yaml")
    desk.manifest(2)
    with closing(sqlite3.connect(desk.folder / "state" / "batch.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = desk.run("run", "batch.yaml", code=2)
    assert "locked" in refused.stderr
    assert desk.audit()["charged"] == 1
    desk.run("run", "batch.yaml")


@pytest.mark.parametrize("place", ["state", "outputs"])
def test_a_folder_that_may_not_be_written(provided: Provided, place: str) -> None:
    """Found before anything is paid for: exit 2."""
    desk = provided(*QUICK)
    desk.manifest(1)
    folder = desk.folder / place
    folder.mkdir()
    folder.chmod(0o500)
    desk.environment["RUNNER_BASE_URL"] = desk.provider.url if desk.provider else ""
    command = [sys.executable, "-m", "runner", "run", "batch.yaml"]
    if os.geteuid() == 0:  # for root permissions are nothing: take the privilege away
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    done = subprocess.run(
        command, cwd=desk.folder, env=desk.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert place in done.stderr
    assert "ermission" in done.stderr
    assert "submit" not in desk.audit()["requests"]


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that answers every connection with plain words and closes it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("trouble", ["dns", "refused", "tls", "proxy"])
def test_no_way_to_the_provider(desk: Desk, silent_server: int, trouble: str) -> None:
    """Never sent, so never charged: jobs stay planned, and it is said what they wait for."""
    desk.manifest(2)
    url = "https://api.provider.invalid"
    if trouble == "refused":
        url = "http://127.0.0.1:9"
    elif trouble == "tls":
        url = f"https://127.0.0.1:{silent_server}"
    elif trouble == "proxy":
        desk.environment["HTTPS_PROXY"] = f"http://127.0.0.1:{silent_server}"
    done = desk.run("run", "batch.yaml", "--base-url", url, "--deadline", "2s", code=3)
    assert "was not reached" in done.stderr
    assert desk.status()["counts"]["planned"] == 2
    assert all(job["attempts"] == 0 for job in desk.status()["jobs"])


def test_a_newer_state_file(provided: Provided) -> None:
    """Written by a newer version: refused and left as it is."""
    desk = provided(*QUICK)
    desk.manifest(1)
    desk.run("run", "batch.yaml")
    path = desk.folder / "state" / "batch.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('runner', 'm999_from_the_future', '2030-01-01')"
        )
    for command in ("run", "status", "doctor"):
        assert "newer version" in desk.run(command, "batch.yaml", code=2).stderr


def test_a_copy_is_made_before_an_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state file as it was, private too, stays beside the upgraded one."""
    from sqlite_utils import Migrations

    from runner.ledger import Ledger
    from runner.ledger import ledger as room
    from runner.ledger.migrations import migrations

    path = tmp_path / "s.db"
    Ledger.open(path).close()
    newer = Migrations("runner")
    newer._migrations = [*migrations._migrations]
    newer(name="m999_more")(lambda db: db.execute("CREATE TABLE more (x)"))
    monkeypatch.setattr(room, "migrations", newer)
    Ledger.open(path).close()
    (copy,) = tmp_path.glob("*.before-m999_more")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as before, closing(sqlite3.connect(path)) as after:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        assert ("more",) not in before.execute(query).fetchall()
        assert ("more",) in after.execute(query).fetchall()
