"""What a provider takes as an image: decided from a status, headers and the first bytes alone."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from runner.account import read_standing
from runner.dialects import Answer
from runner.images import (
    BOUNDS,
    LARGEST,
    Fault,
    Picture,
    is_unmeasured,
    judge,
    kept,
    misannounced,
    misfit,
    recalled,
    refusal,
    silent,
)
from runner.inspection import Inspection, inspect
from runner.jobs import Entry
from runner.ledger import Ledger


def drawn(kind: str, width: int = 640, height: int = 480, **more: object) -> bytes:
    """A real image file."""
    file = BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, kind, **more)
    return file.getvalue()


def got(body: bytes, media: str = "image/jpeg", status: int = 200, **headers: str) -> Answer:
    """An answer whose whole body was read; an underscore in a header's name is a hyphen."""
    told = {"content_type": media, "content_length": str(len(body)), **headers}
    named = {name.replace("_", "-"): value for name, value in told.items() if value}
    return Answer(status, named, body)


@pytest.mark.parametrize(
    ("kind", "media"),
    [
        ("JPEG", "image/jpeg"),
        ("JPEG", "image/jpg"),
        ("JPEG", "IMAGE/JPEG; charset=binary"),
        ("PNG", "image/png"),
        ("WebP", "image/webp"),
    ],
)
def test_what_is_taken(kind: str, media: str) -> None:
    """The three formats, with their sizes, however their media type is written."""
    body = drawn(kind)
    assert judge(got(body, media)) == Picture(kind, len(body), 640, 480)


def test_a_webp_of_every_sort() -> None:
    """Lossy, lossless and extended WebP are measured."""
    for more in ({"quality": 50}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}):
        found = judge(got(drawn("WebP", 33, 77, **more), "image/webp"))
        assert isinstance(found, Picture)
        assert (found.width, found.height) == (33, 77)


JPEG, PNG = drawn("JPEG"), drawn("PNG")
PAGE = b"\n<!-- shop --><!DOCTYPE html><html><body>Sorry</body></html>"
BAD = {
    "a page sent as an image": (got(PAGE), "is a web page"),
    "an XML error": (got(b'<?xml version="1.0"?><Error/>', "application/xml"), "is a web page"),
    "an SVG": (
        got(b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "image/svg+xml"),
        "has the format SVG",
    ),
    "a GIF": (got(drawn("GIF"), "image/gif"), "has the format GIF"),
    "a BMP": (got(drawn("BMP"), "image/bmp"), "has the format BMP"),
    "a TIFF": (got(drawn("TIFF"), "image/tiff"), "has the format TIFF"),
    "an AVIF": (got(b"\0\0\0\x20ftypavif\0\0\0\0", "image/avif"), "has the format AVIF"),
    "a HEIC": (got(b"\0\0\0\x20ftypheic\0\0\0\0", "image/heic"), "has the format HEIC"),
    "junk": (got(b"\x01\x02\x03"), "is no image that is known (image/jpeg)"),
    "nothing": (got(b""), "is empty"),
    "nothing without a length": (got(b"", content_length=""), "is empty"),
    "another type": (got(PNG), "is a PNG, but is sent as image/jpeg"),
    "a generic type": (got(JPEG, "application/octet-stream"), "is sent as application/octet"),
    "no type": (got(JPEG, ""), "is sent without a Content-Type"),
    "no length": (got(JPEG, content_length=""), "without a Content-Length"),
    "a length that is none": (got(JPEG, content_length="-1"), "without a Content-Length"),
    "a length of many digits": (got(JPEG, content_length="9" * 5000), "without a Content-Length"),
    "too large": (got(JPEG, content_length=str(LARGEST + 1)), "more than 16 MB"),
    "too large, by its range": (
        got(JPEG, status=206, content_range=f"bytes 0-9/{LARGEST * 2}"),
        "has 32.0 MB",
    ),
    "a range without a total": (
        got(JPEG, status=206, content_range="bytes 0-9/*"),
        "without a Content-Length",
    ),
    "damaged": (got(JPEG[:20]), "is a damaged JPEG"),
    "of no size": (got(PNG[:16] + bytes(8) + PNG[24:], "image/png"), "is a damaged PNG"),
    "no content": (got(b"", status=204), "answers 204"),
    "not found": (got(PAGE, status=404), "answers 404"),
    "a redirect": (got(b"", status=301, location="https://x.example/a?sig=S3"), "redirects to"),
    "a redirect to nowhere": (got(b"", status=308), "redirects (308)"),
    "too busy": (got(b"", status=429), "answers 429"),
    "ill": (got(b"", status=503), "answers 503"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_taken(name: str) -> None:
    """What is wrong is said, with what to do, and without what may be a signature."""
    answer, words = BAD[name]
    found = judge(answer)
    assert isinstance(found, Fault)
    assert words in found.what
    assert found.advice
    assert "S3" not in found.what
    assert found.passing == (answer.status in {429, 503})


def test_the_largest_is_taken() -> None:
    """The limit itself is within it, also where only the range tells."""
    assert isinstance(judge(got(JPEG, content_length=str(LARGEST))), Picture)
    ranged = got(JPEG, status=206, content_range=f"bytes 0-99/{LARGEST}", content_length="100")
    assert isinstance(judge(ranged), Picture)


def test_a_head_tells_without_a_byte() -> None:
    """Status and length suffice to refuse; a missing type is left for the bytes to settle."""
    assert refusal(got(b"", status=404))
    assert misannounced(got(b"", content_length=str(LARGEST + 1)))
    assert misannounced(got(b"", "", content_length="10")) is None
    assert misannounced(got(b"", content_length="")) is None


def test_large_metadata_needs_more_bytes() -> None:
    """A photograph with a fat profile is measured from more bytes, and is not called damaged."""
    body = drawn("JPEG", icc_profile=bytes(200_000))
    part = replace(got(body), body=body[: BOUNDS[0]])
    found = judge(part)
    assert found == Picture("JPEG", len(body))
    assert is_unmeasured(found)
    assert judge(replace(part, body=body[: BOUNDS[1]])) == Picture("JPEG", len(body), 640, 480)


@pytest.mark.parametrize(
    ("width", "height", "model", "words"),
    [
        (1000, 2000, "gen4_turbo", ""),
        (2000, 1000, "gen3a_turbo", ""),
        (999, 2000, "gen4_turbo", "takes at least 0.5"),
        (2001, 1000, "gen4.5", "takes at most 2"),
        (3000, 1000, "veo3.1", ""),
        (3000, 1000, "a-new-model", ""),
        (0, 0, "gen4_turbo", ""),
    ],
)
def test_shapes(width: int, height: int, model: str, words: str) -> None:
    """A model's rule for shapes holds at its ends; where none is known, nothing is refused."""
    found = misfit(Picture("PNG", 9, width, height), model)
    assert bool(found) == bool(words)
    assert words in (found.what if found else "")


LATIN = st.characters(max_codepoint=255)  # what a header can hold
MAGIC = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 ", b"GIF89a", b"<svg"]


@given(
    status=st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "content-length", "content-range", "location"]),
        st.text(LATIN, max_size=40)
        | st.sampled_from(["image/jpeg", "image/png", "image/webp", "9"]),
    ),
    magic=st.sampled_from(MAGIC),
    rest=st.binary(max_size=300),
)
def test_nothing_makes_it_raise(
    status: int, headers: dict[str, str], magic: bytes, rest: bytes
) -> None:
    """Whatever comes is a picture or a fault, whose words are one printable line."""
    found = judge(Answer(status, headers, magic + rest))
    if isinstance(found, Fault):
        assert found.what.isprintable()
        assert found.advice
    else:
        assert 0 < found.size <= LARGEST
        assert (found.width == 0) == (found.height == 0)
        assert recalled(json.loads(json.dumps(kept(found)))) == found


@given(st.recursive(st.none() | st.integers() | st.text(LATIN), st.lists))
def test_what_was_kept_otherwise_is_unknown(value: object) -> None:
    """A row that something else wrote is no picture, and no error."""
    assert recalled(value) is None or recalled(value) == Picture(*value)  # type: ignore[misc]


# ---------------------------------------------------------------- all of a batch


def entry(id: str, url: str, line: int, model: str = "gen4_turbo") -> Entry:
    """An entry with this image."""
    return Entry(id, "", {"promptImage": url, "model": model}, id, None, "a.csv", line)


A, B = "https://a.example/1.jpg?sig=S3", "https://b.example/2.jpg"
GOOD = Picture("PNG", 9, 100, 100)


def test_a_summary_and_one_line_an_offender() -> None:
    """An image that many jobs share is one offender; the first few are named, the rest counted."""
    entries = [entry(f"lamp-{n}", A, n) for n in range(2, 8)] + [entry("vase", B, 9)]
    found = inspect(entries, {A: Fault("answers 404", "upload it"), B: GOOD}, known=1)
    assert found.line == "2 images: 1 fine, 1 not; 1 known from before"
    assert found.lines() == [
        "a.csv:2: lamp-2: https://a.example/1.jpg answers 404; upload it; "
        "also lamp-3 (line 3), lamp-4 (line 4), 3 more"
    ]


def test_a_shape_is_an_offence_only_to_its_model() -> None:
    """The same image may fit one job's model and not another's."""
    entries = [entry("wide", A, 2), entry("free", A, 3, "veo3")]
    (offence,) = inspect(entries, {A: Picture("PNG", 9, 300, 100)}).offences
    assert [each.id for each in offence.entries] == ["wide"]


def test_a_silent_host_is_one_offender() -> None:
    """All images of a host that gives no answer are one line, beside the others."""
    urls = [f"https://a.example/{n}.jpg" for n in range(200)]
    entries = [*(entry(str(n), url, n + 2) for n, url in enumerate(urls)), entry("vase", B, 999)]
    found = inspect(entries, {**dict.fromkeys(urls, silent("timed out")), B: GOOD})
    assert found.line == "201 images: 1 fine, 200 not"
    (line,) = found.lines()
    assert line.startswith("a.csv:2: 0: a.example could not be reached: timed out;")
    assert "197 more" in line
    assert not found.offline


def test_no_network_is_said_once() -> None:
    """When nobody answers, it is not the images; what was known from before doesn't change that."""
    urls = [f"https://{n}.example/a.jpg" for n in range(200)]
    entries = [*(entry(str(n), url, n + 2) for n, url in enumerate(urls)), entry("vase", B, 999)]
    found = inspect(entries, {**dict.fromkeys(urls, silent("no route")), B: GOOD}, known=1)
    assert found.line == "201 images: no host gave an answer (could not be reached: no route)"
    assert "is this machine online" in found.lines()[0]
    assert len(found.lines()) == 3
    assert not found.fine


def test_many_offenders_are_cut_short() -> None:
    """A limit leaves the first ones and a count."""
    entries = [entry(str(n), f"{B}{n}", n) for n in range(30)]
    found = inspect(entries, {f"{B}{n}": Fault("is empty", "upload") for n in range(30)})
    assert len(found.lines(20)) == 21
    assert found.lines(20)[-1] == "... and 10 more"
    assert Inspection(0).fine


# ---------------------------------------------------------------- the key

UNKNOWN = b'{"code": "task_not_exist", "message": "task_not_exist", "data": null}'


@pytest.mark.parametrize(
    ("status", "body", "accepted", "words"),
    [
        (200, UNKNOWN, True, "accepted"),
        (400, UNKNOWN, True, "accepted"),
        (404, b'{"error": "Task not found"}', True, "accepted"),
        (200, b'{"creditBalance": 12345, "tier": {}}', True, "balance of 12,345 credits"),
        (401, b'{"error": {"code": "invalid_api_key", "message": "no"}}', False, "refused: inv"),
        (403, b'{"error": {"code": "insufficient_user_quota"}}', False, "refused: insuff"),
        (403, b"", None, "answers 403"),
        (404, b"<html>", None, "answers 404"),
        (200, b"<html>", None, "answers 200"),
        (200, b'{"creditBalance": true}', None, "answers 200"),
        (429, b"", None, "answers 429"),
        (503, b"", None, "answers 503"),
    ],
)
def test_what_an_answer_says_of_the_key(
    status: int, body: bytes, accepted: bool | None, words: str
) -> None:
    """A good key, a bad one, and one of which nothing could be told."""
    standing = read_standing(Answer(status, {"content-type": "application/json"}, body), 0)
    assert standing.accepted is accepted
    assert words in standing.words


# ---------------------------------------------------------------- what is known from before


def test_what_was_well_is_known_for_a_while(tmp_path: Path) -> None:
    """The newest look counts, what is too old goes, and a file that is read again knows it."""
    ledger = Ledger.open(tmp_path / "a.db")
    ledger.keep_images({"a": [1], "b": [2]}, at=100.0, since=0.0)
    ledger.keep_images({"b": [3]}, at=200.0, since=100.0)
    assert ledger.images(since=100.0) == {"a": [1], "b": [3]}
    assert ledger.images(since=150.0) == {"b": [3]}
    ledger.keep_images({}, at=300.0, since=150.0)
    ledger.close()
    read = Ledger.read(tmp_path / "a.db")
    assert read
    assert read.images(since=0.0) == {"b": [3]}
    read.close()
