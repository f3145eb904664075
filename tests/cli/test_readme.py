"""The README, run: each command in it does what it says, and its tables are the code's."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from desk import KEY, Desk

from runner.errors import EXIT_CODES
from runner.events import Renamed
from runner.jobs import Status
from runner.lifecycle import TRANSITIONS
from runner.manifest import Services, load
from runner.manifest.fields import JOB, TOP
from runner.manifest.presets import CAMERA
from runner.models import KNOWN

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

# What the commands below print and exit with besides 0, in the world that the test sets up.
CODES = {
    "runner run products.yaml --accept-changes": 4,
    "runner run products.yaml --progress json": 4,
    "runner resolve products.yaml --all": 4,
    "runner doctor products.yaml": 0,
}


def blocks(language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every command line of the README's shell blocks, without its comment."""
    lines = "".join(blocks("sh")).splitlines()
    return [re.sub(r"\s+#.*", "", line) for line in lines if line.strip()]


def drawn() -> str:
    """The diagram of statuses, from the table that rules them."""
    arrows = defaultdict(list)
    for (status, event), after in TRANSITIONS.items():
        if event is not Renamed and status is not after:
            arrows[status, after].append(event.__name__)
    lines = ["stateDiagram-v2", f"    [*] --> {Status.PLANNED}"]
    lines += [f"    {a} --> {b}: {', '.join(names)}" for (a, b), names in arrows.items()]
    return "\n".join([*lines, f"    {Status.DONE} --> [*]", ""])


def test_the_diagram_is_the_table() -> None:
    """The statuses and events in the README are those of the code."""
    assert blocks("mermaid") == [drawn()]


def test_the_exit_codes_are_the_codes() -> None:
    """The README's table of exit codes is the one in the code."""
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", README, re.MULTILINE)
    assert rows == [(str(code.value), words) for code, words in EXIT_CODES.items()]


def test_every_field_and_model_is_explained() -> None:
    """The manifest reference leaves nothing out and invents nothing."""
    rows = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    assert rows == list(TOP)
    for name in (*JOB, *KNOWN):
        assert f"`{name}`" in README


def test_the_manifest_in_the_readme_works(tmp_path: Path) -> None:
    """The example loads, with its catalog beside it; so do the services, and the other catalog."""
    text, catalog, services = blocks("yaml")
    (tmp_path / "spring.yaml").write_text(text)
    (tmp_path / "products.csv").write_text(
        "sku,photo_url,blurb\nvase,https://cdn.example.com/vase.jpg,it turns\n"
    )
    manifest = load(tmp_path / "spring.yaml")
    assert len(manifest.entries) == 2 + 8 + 1
    assert not manifest.warnings
    (tmp_path / "told.yaml").write_text(text + services)
    told = load(tmp_path / "told.yaml").services
    assert all(getattr(told, field) for field in Services.__slots__)
    (tmp_path / "shared.yaml").write_text("defaults: {duration: 5}\n")
    (tmp_path / "catalog.yaml").write_text(catalog)
    (tmp_path / "products.csv").write_text("sku,name,room,shot\nvase,Vase,,dolly zoom\n")
    (entry,) = load(tmp_path / "catalog.yaml").entries
    assert entry.body["promptText"] == f"Vase in a bright studio, {CAMERA['dolly zoom']}"


def test_every_camera_move_is_named() -> None:
    """The README lists the built-in moves, all of them."""
    assert all(f"`{name}`" in README for name in CAMERA)


PRODUCTS = """\
id,image,prompt
lamp-01,https://cdn.example.com/lamp-01.jpg,the shade sways
lamp-02,https://cdn.example.com/lamp-02.jpg,dust in the light
lamp-03,https://cdn.example.com/lamp-03.jpg,slow pan left
vase-01,https://cdn.example.com/vase-01.jpg,it turns
"""


def test_every_runner_command_works(provided: Callable[..., Desk]) -> None:
    """The README's commands, from top to bottom, as a reader would type them."""
    lost = ("lamp-01", "lamp-02", "lamp-03")
    faults = [f"submit:charged-then-cut~{name}.jpg" for name in lost]
    faults += ["task:INTERNAL#1~vase"]
    options = [part for fault in faults for part in ("--fault", fault)]
    desk = provided("--render", "200ms..300ms", *options)
    del desk.environment["COMETAPI_KEY"]
    desk.write("products.csv", PRODUCTS)
    ran = 0
    for line in commands():
        program, *words = line.split()
        if program == "export":
            desk.environment["COMETAPI_KEY"] = KEY
        if program != "runner" or words[0] == "sandbox":
            continue
        ran += 1
        if words[0] == "init":
            desk.run(*words)
            with (desk.folder / "products.yaml").open("a") as file:
                file.write("poll_interval: 200ms\n")  # the stand-in renders as quickly
        elif line == "runner run products.yaml":
            desk.run(*words, code=4)
        elif "--base-url" in words:
            assert desk.provider
            words[words.index("--base-url") + 1] = desk.provider.url
            desk.run(*words, code=4)
        elif "--ids" in words:
            desk.write("tasks.csv", "3d957031-9a2a-45e2-9dc7-bc8513059c50\n")
            desk.run(*words, "--state", "state/elsewhere.db")
        elif "--task-id" in words:
            charges = desk.audit()["charges"]
            found = next(
                charge["task_id"]
                for charge in charges
                if charge["body"]["promptImage"].endswith("lamp-01.jpg")
            )
            words[words.index("--task-id") + 1] = found
            desk.run(*words)
        else:
            desk.run(*words, code=CODES.get(line, 0))
    assert ran >= 15
    assert desk.status("products.yaml")["counts"]["uncertain"] == 0


def test_the_crontab_line_is_the_one_in_contrib() -> None:
    """Which has its own test: it is run there."""
    (line,) = blocks("crontab")
    assert (ROOT / "contrib" / "crontab").read_text().endswith(f"\n{line}")


def test_the_sandbox_command_works(desk: Desk) -> None:
    """The README's sandbox, faults included, starts and ends."""
    (line,) = [line for line in commands() if line.startswith("runner sandbox")]
    process = desk.start(*line.replace("8123", "0").split()[1:])
    assert process.stdout is not None
    assert "listening on" in process.stdout.readline()
    process.terminate()
    process.communicate()
    assert process.returncode == 0


def test_the_package_installs(tmp_path: Path) -> None:
    """`pip install .` gives a package with everything in it and nothing else."""
    assert "pip install ." in commands()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    assert (tmp_path / "runner" / "py.typed").exists()
    assert (tmp_path / "runner" / "sheet" / "assets" / "sheet.css").exists()
    assert {path.name for path in tmp_path.iterdir() if "dist-info" not in path.name} <= {
        "runner",
        "bin",
    }
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert (tmp_path / "bin" / next(iter(scripts))).exists()


def test_make_run_and_make_run_again(tmp_path: Path) -> None:
    """The README's first command: eight videos as asked for, and nothing to do the second time."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "manifests"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, tmp_path / name)
    for words in ("8 of 8 videos done, in outputs/quickstart", "nothing to do"):
        command = ["make", "run", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.run"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert words in done.stdout
    assert len(list((tmp_path / "outputs" / "quickstart").glob("*.mp4"))) == 8
    assert "make test" in commands()
    manifest = load(tmp_path / "manifests" / "quickstart.yaml")
    assert len(manifest.entries) == 8
    for entry in manifest.entries:
        _plays_as_asked(tmp_path / manifest.place(entry), entry.body)


def _plays_as_asked(video: Path, body: Mapping[str, Any]) -> None:
    """Every frame decodes, and there are as many as the duration asks for, at the asked size."""
    import av

    with av.open(str(video)) as film:
        stream = film.streams.video[0]
        frames = sum(1 for _ in film.decode(stream))
        assert f"{stream.width}:{stream.height}" == body["ratio"]
        assert stream.average_rate is not None
        assert frames / stream.average_rate == body["duration"]


def test_make_help_lists_every_target() -> None:
    """`make help` names each target that there is."""
    makefile = (ROOT / "Makefile").read_text()
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    for target in targets.split():
        assert f"make {target} " in shown.stdout


def test_the_proofs_are_made_by_these_commands() -> None:
    """`make simulate` and `make crash` do what the README says; here, in a small dose."""
    assert {"make simulate SEEDS=10000", "make crash KILLS=300"} <= set(commands())
    there = [f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.run", "-o", f"{sys.prefix}/.test"]

    def make(*words: str) -> str:
        command = ["make", *words, *there]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    assert "0 worlds in which a promise was broken" in make("simulate", "SEEDS=3")
    assert "tests/crash --kills 300" in make("-n", "crash", "KILLS=300")
