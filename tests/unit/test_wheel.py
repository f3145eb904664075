"""What a wheel holds: the package and its licence, and nothing that only this checkout needs."""

from __future__ import annotations

import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import runner

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout, built in this process as pip's build would."""
    folder = tmp_path_factory.mktemp("dist")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """The wheel's METADATA."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_has_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Every file of runner/ is in it, whatever its kind; no tests, benchmarks, docs or state."""
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = Path(runner.__file__).parent
    there = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert inside == there
    assert {"runner/py.typed", "runner/__main__.py", "runner/sheet/assets/sheet.html.j2"} <= inside


def test_the_wheel_describes_itself(wheel: zipfile.ZipFile, metadata: Message) -> None:
    """Version, command, licence and description are there, and no dependency on a machine."""
    info = f"image_to_video_runner-{runner.__version__}.dist-info"
    names = {name.removeprefix(f"{info}/") for name in wheel.namelist() if info in name}
    assert names == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert entry_points == "[console_scripts]\nrunner = runner.__main__:main\n"
    assert metadata["Version"] == runner.__version__
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert "Project-URL" not in metadata
    assert not [line for line in metadata.get_all("Requires-Dist", []) if "@" in line]


def test_the_base_install_stays_light(metadata: Message) -> None:
    """What draws, encodes or tells is an extra; tools for tests are in `dev` alone."""
    required = metadata.get_all("Requires-Dist", [])
    base = {line.split(">")[0].split("<")[0] for line in required if "extra ==" not in line}
    assert not base & {"av", "pillow", "jinja2", "apprise", "trio", "pytest", "hatchling"}
    extras = set(metadata.get_all("Provides-Extra", []))
    assert extras == {"sandbox", "media", "report", "notify", "dev", "bench", "plots"}
