"""The order of the tests."""

from __future__ import annotations

import pytest

# They wait most of the time: begun last, they would keep one worker when all others are done.
LONGEST = (
    "test_make_run_and_make_run_again",
    "test_every_runner_command_works",
    "test_a_batch_survives_ten_blows",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first."""
    items.sort(key=lambda item: item.name not in LONGEST)
