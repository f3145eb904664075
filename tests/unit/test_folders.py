"""Folders for videos, tried before anything is paid for."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.batch import check_writable
from runner.errors import ConfigurationError


def test_a_folder_that_takes_files_is_left_as_it_was(tmp_path: Path) -> None:
    """Nothing is left behind."""
    check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["/proc", "/sys", __file__])
def test_what_takes_no_files_is_refused(place: str) -> None:
    """Also where permissions say that it would, as they do to root."""
    with pytest.raises(ConfigurationError, match=place):
        check_writable(Path(place))
