"""A key file that is no good: each way to be so has its own words, and none of them the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.apis import APIS
from runner.credentials import read_key
from runner.errors import ConfigurationError


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such key file"),
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"sk-secret\nsk-other\n", "there is more than a key in it"),
        (b"COMETAPI_KEY = sk-secret", "there is more than a key in it"),
        (b"\xff\xfesk-secret", "is not text"),
        (b"sk-secret\xc3\xbc", "can't be an API key"),
    ],
)
def test_a_bad_key_file_says_what_is_wrong(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    """Missing, empty, more than a key, no text, no ASCII."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_key(APIS["cometapi"], file, {})
    assert str(caught.value).startswith(f"{file}: ")
    assert "secret" not in str(caught.value)


def test_a_key_file_that_is_a_folder_says_so(tmp_path: Path) -> None:
    """The system's own word for why it can't be read is passed on."""
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        read_key(APIS["cometapi"], tmp_path, {})


def test_white_space_around_a_key_is_no_part_of_it(tmp_path: Path) -> None:
    """An editor's newline does no harm."""
    (tmp_path / "key").write_text("\n  sk-good\r\n\n")
    assert read_key(APIS["cometapi"], tmp_path / "key", {}) == "sk-good"
