"""The benchmark's command still works."""

from __future__ import annotations

import pytest

from benchmarks.polling.__main__ import main


def test_the_tables_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A small dose: every law and every drift has its row."""
    monkeypatch.setattr("sys.argv", ["polling", "--histories", "1", "--quick"])
    main()
    printed = capsys.readouterr().out
    assert printed.count("official SDK") == 4
    assert printed.count("runner, 50 seen") == 4
    assert "five times as slow" in printed
