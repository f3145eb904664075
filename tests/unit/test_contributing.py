"""CONTRIBUTING's table of rooms, against the rooms."""

from __future__ import annotations

import re
from pathlib import Path

from test_floors import FLOORS, MODULES, TOP, room_of, rooms_imported

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def table() -> list[list[str]]:
    """The rooms of each row, as `FLOORS` names them."""
    cells = re.findall(r"^\| (`.*?`) \|", TEXT, flags=re.MULTILINE)
    return [re.findall(r"`(\w+)(?:\.py|/)`", cell) for cell in cells]


def test_every_room_is_told_once() -> None:
    """A new room needs its words, and one that is gone has none."""
    told = [room for row in table() for room in row]
    assert sorted(told) == sorted({*FLOORS, *TOP} - {"__init__"})


def test_the_table_is_in_the_order_of_imports() -> None:
    """A room imports from its own row and those below it."""
    row_of = {room: number for number, row in enumerate(table()) for room in row}
    for path in MODULES:
        room = room_of(path)
        above = {
            other
            for other in rooms_imported(path)
            if room in row_of and other in row_of and row_of[other] < row_of[room]
        }
        assert not above, f"{room} imports {above} from above it"


def test_named_files_exist() -> None:
    """Every path in the text is there, but for the one that stands for any."""
    root = Path(__file__).parents[2]
    named = set(re.findall(r"`((?:\w+/)+\w*(?:\.\w+)?|\w+\.(?:py|txt|toml))`", TEXT))
    assert len(named) > 20
    missing = {
        name
        for name in named
        if not (root / name).exists() and not (root / "runner" / name).exists()
    }
    assert missing == {"commands/NAME.py"}
