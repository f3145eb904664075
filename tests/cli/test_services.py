"""`runner tick` and what a run tells the outside: real processes, real sockets, no cron spam."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk import KEY, MANIFEST, Desk
from unit.sockets import Server, answer, replying, serving

from runner.commands.several import share

Provided = Callable[..., Desk]

CONTRIB = Path(__file__).parents[2] / "contrib"
QUICK = ("--render", "200ms..500ms", "--queue", "50ms..100ms")
SLOW = ("--render", "60s..60s")


@pytest.fixture
def listener() -> Iterator[Server]:
    """A service that takes whatever it is told."""
    with serving(replying(answer(b"OK"))) as server:
        yield server


def served(*lines: str) -> str:
    """The head of a manifest with services."""
    return "".join(f"{line}\n" for line in lines) + MANIFEST


def tick_until(desk: Desk, *arguments: str, code: int = 0) -> list[str]:
    """Tick until the exit code is this; the lines said by each tick that said any."""
    said = []
    for _ in range(100):
        done = desk.run("tick", "batch.yaml", *arguments, code=None)
        said += [done.stdout + done.stderr] * bool(done.stdout + done.stderr)
        if done.returncode == code:
            return said
        assert done.returncode == 3, done
    raise AssertionError("it never ends")


def test_many_ticks_bring_a_batch_home(provided: Provided) -> None:
    """Each is short and says at most one line; caps are kept, and nothing is paid twice."""
    desk = provided(*QUICK)
    desk.manifest(5)
    said = tick_until(desk)
    assert all(len(words.splitlines()) == 1 for words in said)
    assert "5 of 5 videos done" in said[-1]
    books = desk.audit()
    assert (books["charged"], books["duplicates"]) == (5, [])
    assert books["most_unfinished_at_once"] <= 3
    again = desk.run("tick", "batch.yaml")
    assert again.stdout + again.stderr == ""


def test_a_tick_leaves_what_it_would_have_to_wait_for(provided: Provided) -> None:
    """Tasks that render stay at the provider: exit 3 in seconds, silent when nothing changed."""
    desk = provided(*SLOW)
    desk.manifest(5)
    first = desk.run("tick", "batch.yaml", code=3)
    assert first.stdout.count("\n") == 1
    assert "3 running" in first.stdout
    second = desk.run("tick", "batch.yaml", code=3)
    assert second.stdout + second.stderr == ""
    assert desk.audit()["charged"] == 3


def test_a_tick_during_a_run_is_silent(provided: Provided) -> None:
    """Another run at work: exit 75 and no word, so that cron mails nothing."""
    desk = provided(*SLOW)
    desk.manifest(2)
    first = desk.start("run", "batch.yaml", "--progress", "json")
    assert first.stdout is not None
    first.stdout.readline()
    late = desk.run("tick", "batch.yaml", code=75)
    assert late.stdout + late.stderr == ""
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)


def test_cron_tells_people_only_what_matters(provided: Provided) -> None:
    """-qq: silent while all goes well, one line when a person is needed, once, and at the end."""
    desk = provided(*QUICK, "--fault", "task:SAFETY.INPUT.TEXT#1")
    desk.manifest(4)
    said = tick_until(desk, "-qq", code=1)
    assert len(said) == 1
    assert "1 failed" in said[0]
    assert desk.run("tick", "batch.yaml", "-qq", code=1).stdout == ""
    desk.run("retry", "batch.yaml", "--yes")
    said = tick_until(desk, "-qq")
    assert len(said) == 1
    assert "4 of 4 videos done" in said[0]


def test_a_quiet_run(provided: Provided) -> None:
    """`run -q` is one line after a change, nothing after none."""
    desk = provided(*QUICK)
    desk.manifest(2)
    first = desk.run("run", "batch.yaml", "-q")
    assert first.stdout.count("\n") == 1
    assert first.stderr == ""
    second = desk.run("run", "batch.yaml", "-q")
    assert second.stdout + second.stderr == ""


def test_everybody_is_told(provided: Provided, listener: Server) -> None:
    """Start and success to the heartbeat, one message, one summary, and the metrics file."""
    desk = provided(*QUICK)
    desk.environment["BEAT"] = f"{listener.url}/beat"
    desk.environment["TELL"] = f"json://127.0.0.1:{listener.port}/message"
    head = served(
        "heartbeat: env:BEAT",
        "notify: {urls: [env:TELL]}",
        f"webhook: {listener.url}/hook",
        "metrics: prom/{name}.prom",
    )
    desk.manifest(2, head)
    desk.run("run", "batch.yaml")
    assert listener.asked[0].path == "/beat/start"
    told = {asked.path.rstrip("/"): asked for asked in listener.asked}
    assert told.keys() == {"/beat/start", "/beat", "/message", "/hook"}
    summary = json.loads(told["/hook"].body)
    assert (summary["outcome"], summary["counts"]["done"], summary["bought"]) == ("done", 2, 2)
    assert b"2 of 2 videos done" in told["/beat"].body
    assert (
        'runner_jobs{batch="batch",status="done"} 2'
        in (desk.folder / "prom" / "batch.prom").read_text()
    )
    assert all(KEY.encode() not in asked.body for asked in listener.asked)
    assert all("authorization" not in asked.headers for asked in listener.asked)
    before = len(listener.asked)
    desk.run("run", "batch.yaml")
    assert [asked.path for asked in listener.asked[before:]] == ["/beat/start", "/beat"]


def test_trouble_is_told_once(provided: Provided, listener: Server) -> None:
    """A person is needed: fail to the heartbeat each time, one message for all repetitions."""
    desk = provided(*QUICK, "--fault", "submit:charged-then-cut#1")
    head = served(
        f"heartbeat: {listener.url}/beat",
        f"notify: {{urls: json://127.0.0.1:{listener.port}/message, on: person}}",
    )
    desk.manifest(1, head)
    for _ in range(3):
        desk.run("tick", "batch.yaml", code=4)
    paths = [asked.path.rstrip("/") for asked in listener.asked]
    assert paths.count("/beat/fail") == 3
    assert paths.count("/message") == 1
    desk.run("resolve", "batch.yaml", "--all", "--not-charged")
    tick_until(desk)
    paths = [asked.path.rstrip("/") for asked in listener.asked]
    assert paths[-1] == "/beat"
    assert paths.count("/message") == 1, "done was not asked for"


def test_a_service_that_is_down_is_told_once_and_harms_nothing(provided: Provided) -> None:
    """The batch comes home; each tick tries again, the first one says so."""
    desk = provided(*QUICK)
    secret = "127.0.0.1:9/6f1c-secret"
    head = served(
        f"heartbeat: http://{secret}",
        f"notify: {{urls: 'json://{secret}', on: [done, remains]}}",
        f"webhook: http://{secret}",
        "metrics: batch.yaml/x.prom",
        "on_done: {job: [no-such-program], run: ['false']}",
    )
    desk.manifest(1, head)
    done = desk.run("run", "batch.yaml")
    for service in ("heartbeat", "notify", "webhook", "metrics", "on_done.job", "on_done.run"):
        assert f"warning: {service}: " in done.stderr, done.stderr
    assert "secret" not in done.stdout + done.stderr
    first = desk.run("tick", "batch.yaml")
    assert "on_done.job" not in first.stderr
    second = desk.run("tick", "batch.yaml")
    assert second.stdout + second.stderr == ""
    assert b"secret" not in (desk.folder / "state" / "batch.db").read_bytes()


def test_programs_get_the_facts_and_no_key(provided: Provided) -> None:
    """One for each video, one for the run; neither the key nor an address is in their world."""
    desk = provided(*QUICK)
    desk.environment["BEARER"] = f"Bearer {KEY}"
    desk.environment["HOOK"] = "http://127.0.0.1:9/token"
    script = 'env > "$RUNNER_EVENT-$RUNNER_JOB_ID.env"'
    words = json.dumps(["sh", "-c", script])
    desk.manifest(2, served(f"on_done: {{job: {words}, run: {words}}}", "webhook: env:HOOK"))
    desk.environment["BEAT"] = "http://127.0.0.1:9/token"
    desk.run("run", "batch.yaml", "-q", "--heartbeat", "env:BEAT")
    found = {path.name: path.read_text() for path in desk.folder.glob("*.env")}
    assert found.keys() == {"job-lamp-01.env", "job-lamp-02.env", "run-.env"}
    for name, text in found.items():
        assert KEY not in text, name
        assert "token" not in text, name
    output = desk.folder / "outputs" / "batch" / "lamp-01.mp4"
    assert f"RUNNER_JOB_OUTPUT={output}\n" in found["job-lamp-01.env"]
    assert "RUNNER_OUTCOME=done\n" in found["run-.env"]
    assert f"RUNNER_MANIFEST={desk.folder / 'batch.yaml'}\n" in found["run-.env"]


def test_a_rehearsal_tells_nobody(desk: Desk, listener: Server) -> None:
    """--sandbox: no ping, no program, and a word that says so."""
    head = served(f"heartbeat: {listener.url}", "on_done: {job: [touch, started]}")
    desk.manifest(1, head)
    done = desk.run("run", "batch.yaml", "--sandbox")
    assert "nobody is told" in done.stderr
    assert listener.asked == []
    assert not (desk.folder / "started").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("heartbeat: env:NOWHERE", "heartbeat: the variable NOWHERE is not set"),
        ("notify: {urls: [env:NOWHERE]}", "notify.urls: the variable NOWHERE is not set"),
        ("webhook: env:PATH", "webhook: what is in PATH is not an address"),
    ],
)
def test_a_missing_address_stops_before_anything_is_sent(desk: Desk, line: str, words: str) -> None:
    """Configuration: exit 2, no state file."""
    desk.manifest(1, served(line))
    done = desk.run("run", "batch.yaml", "--base-url", "http://127.0.0.1:9", code=2)
    assert words in done.stderr
    assert not (desk.folder / "state").exists()


def test_the_heartbeat_hears_of_a_run_that_could_not_be_made(desk: Desk, listener: Server) -> None:
    """A broken manifest, told by `--heartbeat`; a state file that is none, by the manifest's."""
    desk.write("broken.yaml", "version: 2\n")
    desk.run("tick", "broken.yaml", "--heartbeat", f"{listener.url}/all", code=2)
    assert [asked.path for asked in listener.asked] == ["/all/start", "/all/fail"]
    desk.manifest(1, served(f"heartbeat: {listener.url}/one"))
    desk.write("state/batch.db", "no database at all, " * 100)
    desk.run("tick", "batch.yaml", code=2)
    assert [asked.path for asked in listener.asked][2:] == ["/one/fail"]


def test_several_manifests_and_a_folder(provided: Provided, listener: Server) -> None:
    """Worked on in turn, each with its own state; a broken one doesn't stop the others."""
    desk = provided(*QUICK)
    desk.manifest(2)
    text = (desk.folder / "batch.yaml").read_text()
    for name in ("a.yaml", "b.yml"):
        desk.write(f"all/{name}", text)
    desk.write("all/compose.yaml", "services: {web: {image: nginx}}\n")
    desk.write("all/.hidden.yaml", "jobs: 7\n")
    done = desk.run("run", "all/", "--progress", "none")
    assert [line[:2] for line in done.stdout.splitlines() if "videos done" in line] == ["a:", "b:"]
    assert desk.audit()["charged"] == 4
    desk.write("all/aa.yaml", "jobs: 7\n")
    beat = ("--heartbeat", f"{listener.url}/beat")
    broken = desk.run("tick", "batch.yaml", "all", "all/b.yml", *beat, code=2)
    assert broken.stderr.count("all/aa.yaml") >= 1
    assert "0 of 2 videos done" in broken.stdout
    assert [asked.path for asked in listener.asked] == ["/beat/start", "/beat/fail"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.yaml", "b.yaml", "--state", "x.db"), "--state names one file"),
        (("a.yaml", "b.yaml", "--output", "out"), "--output needs {name}"),
        (("empty",), "no manifest in this folder"),
        (("a.yaml", "sub/a.yaml"), "give each a `name` of its own"),
        (("a.yaml", "--log-format", "json", "--progress", "live"), "doesn't go with"),
    ],
)
def test_what_several_manifests_cant_share(
    desk: Desk, arguments: tuple[str, ...], words: str
) -> None:
    """Refused with a reason, exit 2."""
    desk.manifest(1)
    (desk.folder / "empty").mkdir()
    for name in ("a.yaml", "b.yaml", "sub/a.yaml"):
        desk.write(name, (desk.folder / "batch.yaml").read_text())
    done = desk.run(
        "run", *arguments, "--base-url", "http://127.0.0.1:9", "--deadline", "1s", code=2
    )
    assert words in done.stderr


def test_an_interrupt_ends_all(provided: Provided) -> None:
    """Ctrl-C in the first of two manifests: the second one is not begun."""
    desk = provided(*SLOW)
    desk.manifest(2)
    desk.write("other.yaml", (desk.folder / "batch.yaml").read_text())
    process = desk.start("run", "batch.yaml", "other.yaml", "--progress", "json")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 3
    assert not (desk.folder / "state" / "other.db").exists()


def test_the_time_is_shared() -> None:
    """What the first ones leave of a deadline is for those that wait; never less than nothing."""
    assert share(None, 3) is None
    assert share(60, 3) == 20
    assert share(-5, 2) == 0


def test_a_log_of_json(provided: Provided) -> None:
    """Whatever is said is an object with time, level and event; standard output stays empty."""
    desk = provided(*QUICK, "--fault", "task:SAFETY.INPUT.TEXT#1")
    desk.manifest(2)
    done = desk.run("run", "batch.yaml", "--log-format", "json", code=1)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.stdout == ""
    assert all({"time", "level", "event", "message"} <= line.keys() for line in lines)
    assert {"say", "change", "detail", "next", "summary"} == {line["event"] for line in lines}
    assert (lines[-1]["event"], lines[-1]["level"], lines[-1]["exit_code"]) == (
        "summary",
        "warning",
        1,
    )
    desk.write("broken.yaml", "version: 2\n")
    done = desk.run("run", "broken.yaml", "--log-format", "json", code=2)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["level"] for line in lines} == {"error"}


def test_watching_prints_a_line_at_each_change(provided: Provided) -> None:
    """Without a terminal: one line for each new state, and the end when nothing remains."""
    desk = provided("--render", "1s..1s", "--queue", "50ms..50ms")
    desk.manifest(2)
    watch = desk.start("status", "batch.yaml", "--watch", "--every", "100ms", "--exit-code")
    desk.run("run", "batch.yaml", "-q")
    out, err = watch.communicate(timeout=60)
    lines = out.splitlines()
    assert (watch.returncode, err) == (0, "")
    assert lines[0].startswith("batch: 2 planned")
    assert lines[-1].startswith("batch: 2 done")
    assert len(set(lines)) == len(lines)
    interrupted = desk.start("status", "batch.yaml", "--watch")
    interrupted.communicate(timeout=60)
    assert interrupted.returncode == 0


# ---------------------------------------------------------------- what is ready to use


def test_the_crontab_line(provided: Provided) -> None:
    """The line is one that cron reads, and its command brings a folder home without spam."""
    (line,) = [
        line for line in (CONTRIB / "crontab").read_text().splitlines() if not line.startswith("#")
    ]
    found = re.fullmatch(r"((?:[-*/,0-9]+ ){5})cd /srv/catalog && (runner [^%]*)", line)
    assert found, "five times, and a command without % (which cron reads as a new line)"
    desk = provided(*QUICK)
    del desk.environment["COMETAPI_KEY"]
    desk.write("key", KEY)
    desk.manifest(2)
    desk.write("manifests/batch.yaml", (desk.folder / "batch.yaml").read_text())
    words = shlex.split(found[2].replace("/srv/catalog", str(desk.folder)))
    said = ""
    for _ in range(100):
        done = desk.run(*words[1:], code=None)
        said += done.stdout + done.stderr
        if not done.returncode:
            break
        assert done.returncode == 3
    assert said.count("\n") == 1
    assert "2 of 2 videos done" in said


def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say of the service and the timer."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed: the units are not verified here")
    for name in ("runner.service", "runner.timer"):
        text = (CONTRIB / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/local/bin/runner", sys.executable))
    units = [str(tmp_path / "runner.service"), str(tmp_path / "runner.timer")]
    done = subprocess.run(
        [tool, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_services_command_works(provided: Provided) -> None:
    """What systemd would start does its pass; the timer waits between passes, with jitter."""
    service = (CONTRIB / "runner.service").read_text()
    timer = (CONTRIB / "runner.timer").read_text()
    assert "RandomizedDelaySec=" in timer
    assert "OnUnitInactiveSec=" in timer
    (command,) = re.findall(r"^ExecStart=/usr/local/bin/runner (.*)$", service, re.MULTILINE)
    (fine,) = re.findall(r"^SuccessExitStatus=(.*)$", service, re.MULTILINE)
    desk = provided(*SLOW)
    desk.write("key", KEY)
    desk.manifest(1)
    desk.write("manifests/batch.yaml", (desk.folder / "batch.yaml").read_text())
    done = desk.run(*command.replace("%d", os.fspath(desk.folder)).split(), code=None)
    assert str(done.returncode) in fine.split()
    assert json.loads(done.stderr)["event"] == "summary"
