"""Fixtures: somebody's desk, with or without a provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk import Desk, Provider


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty folder with a key in the environment and no provider."""
    return Desk(tmp_path)


@pytest.fixture
def provided(desk: Desk) -> Iterator[Callable[..., Desk]]:
    """The same with a provider, started with the given options."""

    def start(*arguments: str) -> Desk:
        options = arguments or ("--render", "50ms..250ms", "--queue", "50ms..50ms")
        desk.provider = Provider(desk.folder, *options)
        return desk

    yield start
    if desk.provider:
        desk.provider.stop()
