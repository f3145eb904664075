"""HTML is a shop's description, not a prompt."""

from __future__ import annotations

import pytest

from runner.manifest.proposals import usable


@pytest.mark.parametrize(
    ("text", "good"),
    [("<p>Soft wool</p>", False), ("Soft<br/>wool", False), ("wider than 3 < 5 > 2", True)],
)
def test_html_is_no_prompt(text: str, good: bool) -> None:
    """A column with a tag in it is not proposed as the prompt."""
    assert usable("prompt", "Body (HTML)", [{"Body (HTML)": text}], "cometapi") is good
