"""What identifies the paid content of a request may never change: state files are full of it."""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from runner.jobs import Scalar, content_digest

SCALARS = st.text() | st.integers() | st.booleans()


@given(st.dictionaries(st.text(), SCALARS))
def test_a_digest_is_that_of_the_canonical_json(body: dict[str, Scalar]) -> None:
    """Names in order, no spaces, nothing escaped that need not be; in whatever order it came."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    expected = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    assert content_digest(body) == expected
    assert content_digest(dict(reversed(body.items()))) == expected


def test_digests_of_earlier_versions_are_the_same() -> None:
    """Fixed ones, so that a change of both sides above is seen too."""
    body = {"promptImage": "https://a.example/ü.jpg", "promptText": 'say "hi"\n', "seed": 7}
    assert content_digest({**body, "watermark": False}) == "b6abacd7d622bcdc78503cd8550a65c6"
    assert content_digest({}) == "44136fa355b3678a1146ad16f7e8649e"
