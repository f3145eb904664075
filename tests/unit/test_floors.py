"""The architecture, checked: imports run one way, and some things have one door."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import runner

ROOT = Path(runner.__file__).parent

# Room -> the rooms it may import. Rooms on one floor never import each other.
FLOORS: dict[str, set[str]] = {
    "errors": set(),
    "jobs": set(),
    "events": {"jobs"},
    "lifecycle": {"jobs", "events"},
    "compact": {"jobs"},
    "mp4": set(),
    "tags": {"mp4"},
    "models": {"jobs"},
    "sandbox": set(),
    "policy": {"jobs", "events"},
    "breaker": {"jobs", "events"},
    "pacing": {"jobs", "events"},
    "polling": {"jobs"},
    "recognition": {"jobs", "compact"},
    "admission": {"jobs", "compact", "recognition", "events"},
    "selection": set(),
    "words": {"jobs"},
    "dialects": {"jobs", "events"},
    "images": {"dialects", "models"},
    "inspection": {"images", "jobs", "words"},
    "log": set(),
    "hooks": {"jobs", "words", "events"},
    "notify": {"errors", "transport"},
    "manifest": {"jobs", "compact", "errors", "models"},
    "ledger": {"jobs", "errors", "events"},
    "apis": {"errors"},
    "credentials": {"apis", "errors"},
    "transport": {"apis", "dialects", "errors"},
    "prober": {"dialects", "images", "transport"},
    "account": {"apis", "dialects", "events", "transport"},
    "download": {"jobs", "mp4", "tags", "transport", "events"},
    "provider": {"apis", "jobs", "dialects", "download", "transport", "events"},
    "videos": {"jobs"},
    "posters": {"errors", "jobs", "events", "videos"},
    "history": {"jobs", "events", "lifecycle"},
    "pace": {"jobs", "policy", "pacing", "polling", "events"},
    "carry": {"breaker", "policy"},
    "underway": {"jobs", "policy"},
    "bookkeeping": {
        "breaker",
        "jobs",
        "policy",
        "pace",
        "underway",
        "ledger",
        "carry",
        "history",
        "events",
        "lifecycle",
    },
    "engine": {"jobs", "policy", "bookkeeping", "ledger", "events"},
    "overview": {"jobs", "compact", "errors", "admission", "words"},
    "planning": {"jobs", "overview"},
    "records": {"jobs", "admission", "overview", "words", "planning"},
    "report": {"jobs", "admission", "overview", "words", "planning"},
    "console": {"jobs", "log", "records", "words", "events"},
    "news": {"errors", "jobs", "overview", "words"},
    "outside": {"hooks", "ledger", "manifest", "news", "notify"},
    "troubles": {"jobs"},
    "story": {"jobs", "events", "history", "troubles", "words"},
    "sheet": {"jobs", "errors", "admission", "overview", "troubles", "words"},
}
TOP = {"batch", "company", "consent", "preflight", "standin", "session", "api"}
TOP |= {"commands", "cli", "__main__", "__init__"}


def room_of(path: Path) -> str:
    """The room a module belongs to: its folder or file right below the package."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    """The rooms of this package that a file imports."""
    parts = (name.split(".") for name in imports(path) if name.startswith("runner."))
    return {part[1] for part in parts}


MODULES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    """Each room imports only from the floors below it."""
    room = room_of(path)
    assert room in FLOORS or room in TOP, f"{room} has no floor yet"
    if room in FLOORS:
        allowed = FLOORS[room] | {room, "__version__"}
        assert rooms_imported(path) <= allowed


def test_the_floors_have_no_cycle() -> None:
    """Rooms can be put in an order in which each imports only earlier ones."""
    left = dict(FLOORS)
    while left:
        ground = {room for room, below in left.items() if not below & left.keys()}
        assert ground, f"a cycle among {sorted(left)}"
        for room in ground:
            del left[room]


def test_nothing_below_imports_the_top() -> None:
    """Only the command line sees everything."""
    for path in MODULES:
        if room_of(path) in FLOORS:
            assert not rooms_imported(path) & {"commands", "cli"}, path


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("httpx", {"transport", "sandbox"}),
        ("aiohttp", {"transport"}),
        ("httpcore", {"transport"}),
        ("yarl", {"transport"}),
        ("imagesize", {"images"}),
        ("sqlite_utils", {"ledger"}),
        ("sqlite3", {"ledger"}),
        ("yaml", {"manifest"}),
        ("rich", {"console"}),
        ("apprise", {"notify"}),
        ("av", {"sandbox", "posters"}),
        ("PIL", {"sandbox", "posters"}),
        ("jinja2", {"sheet"}),
    ],
)
def test_a_library_has_one_door(library: str, rooms: set[str]) -> None:
    """A library is imported in its own room only, so that it can be exchanged there."""
    users = {
        room_of(path)
        for path in MODULES
        if any(name.split(".")[0] == library for name in imports(path))
    }
    assert users == rooms


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("runner", {"click", "yaml", "sqlite3", "anyio", "runner.api"}),
        ("runner.api", {"httpx", "aiohttp", "rich", "av"}),
        ("runner.cli", {"yaml", "sqlite3", "anyio", "httpx", "rich", "difflib"}),
        ("runner.transport", {"aiohttp", "yarl"}),
        ("runner.commands.run", {"httpx", "aiohttp", "rich", "av", "imagesize"}),
        ("runner.commands.check", {"httpx", "aiohttp", "rich", "av", "imagesize"}),
        ("runner.commands.status", {"httpx", "aiohttp", "rich", "av"}),
    ],
)
def test_starting_is_light(module: str, heavy: set[str]) -> None:
    """What takes long to import is imported where it is used: nothing to do, nothing to load."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


def test_decisions_have_no_clock_and_no_dice() -> None:
    """Pure rooms import neither time nor randomness nor IO."""
    impure = {"time", "random", "os", "anyio", "socket", "threading"}
    sheet = ("cards", "charts", "chronicle", "exports", "page", "sheet")
    told = ("lifecycle", "policy", "breaker", "admission", "recognition", "compact", "carry")
    rooms = (*told, "pace", "pacing", "polling", "underway", "images", "inspection")
    shown = (
        "overview",
        "planning",
        "news",
        "report",
        "troubles",
        "story",
        *(f"sheet/{name}" for name in sheet),
    )
    for room in (*rooms, *shown):
        used = {name.split(".")[0] for name in imports(ROOT / f"{room}.py")}
        assert not used & impure, room


def _awaits(path: Path) -> bool:
    nodes = ast.walk(ast.parse(path.read_text()))
    return any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in nodes)


def test_the_ledger_never_awaits() -> None:
    """A coroutine in the state file's room could await inside a transaction."""
    assert not any(_awaits(path) for path in (ROOT / "ledger").glob("*.py"))


def test_nothing_is_awaited_between_answer_and_commit() -> None:
    """The bookkeeper, which stores every change, and the engine's way to it are plain."""
    assert not _awaits(ROOT / "bookkeeping.py")
    used = {name.split(".")[0] for name in imports(ROOT / "bookkeeping.py")}
    assert not used & {"time", "random", "anyio"}
    tree = ast.parse((ROOT / "engine.py").read_text())
    plain = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert "_take" in plain
