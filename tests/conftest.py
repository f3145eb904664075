"""The order of the tests, and what every process that they start gets."""

from __future__ import annotations

import os

import pytest

# Compiled once and kept, as an installed program is: else each of some hundred processes compiles
# the whole package for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# They wait most of the time: begun last, they would keep one worker when all others are done.
LONGEST = (
    "test_make_run_and_make_run_again",
    "test_every_runner_command_works",
    "test_a_batch_survives_ten_blows",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first."""
    items.sort(key=lambda item: item.name not in LONGEST)
