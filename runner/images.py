"""What a provider takes as an image, judged from what the image's host answered. Pure.

Sources: Runway's page on inputs (docs.dev.runwayml.com/assets/inputs): HTTPS, no redirect, HEAD, a
`Content-Type` that is the image's own and a `Content-Length`, JPEG, PNG or WebP, at most 16 MB by
address. CometAPI hands the address on to Runway, and says only that it must be stable and HTTPS.
The shapes that a model takes are in `models`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO

import imagesize

from runner.dialects import Answer
from runner.models import KNOWN

LARGEST = 16 << 20
# The first bytes that are read. Beyond the first bound are only images with large metadata.
BOUNDS = (64 << 10, 1 << 20)
# A host that answers HEAD so may still give the image itself.
NO_HEAD = frozenset({403, 405, 501})

_MEDIA = {"JPEG": ("image/jpeg", "image/jpg"), "PNG": ("image/png",), "WebP": ("image/webp",)}
_TAKEN = "JPEG, PNG and WebP are taken"
_CONVERT = f"convert it: {_TAKEN}"
_MAGIC = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("WebP", rb"RIFF.{4}WEBP"),
    ("GIF", rb"GIF8[79]a"),
    ("AVIF", rb".{4}ftypavi[fs]"),
    ("HEIC", rb".{4}ftyp(?:hei|hev|mif1|msf1)"),
    ("TIFF", rb"II\*\0|MM\0\*"),
    ("BMP", rb"BM.{4}\0\0\0\0"),
    ("SVG", rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<svg[\s>]"),
    ("PDF", rb"%PDF-"),
)
_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|head|body|\?xml|error)", re.I | re.S)
_ADVICE = {
    401: "the provider has no password: make it public, or use a signed address",
    403: "make it public, or use a signed address that is still valid",
    404: "correct the address, or upload the image",
    410: "correct the address, or upload the image",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What stands at an address. `size` in bytes; `width` and `height` are 0 when not told."""

    kind: str
    size: int
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the provider would not take an image, and what to do.

    A `passing` one may be gone at another try. `reached` is False when the host gave no answer.
    """

    what: str
    advice: str
    passing: bool = False
    reached: bool = True


def silent(words: str) -> Fault:
    """The fault of a host that gave no whole answer."""
    advice = "look whether the address is right and its host is up, then check again"
    return Fault(f"could not be reached: {words}", advice, passing=True, reached=False)


def refusal(answer: Answer) -> Fault | None:
    """What the status of an answer says against the image."""
    status = answer.status
    if status in {200, 206}:
        return None
    what = f"answers {status}"
    if 300 <= status < 400:
        place = _printable(answer.headers.get("location", "").partition("?")[0])
        to = f" to {place}" if place else ""
        return Fault(f"redirects{to} ({status})", "no redirect is followed: give the last address")
    if status in {408, 425, 429} or status >= 500:
        return Fault(what, "check again later, or use another host", passing=True)
    return Fault(what, _ADVICE.get(status, "open the address in a browser, and correct it"))


def misannounced(answer: Answer) -> Fault | None:
    """What the length that is announced says against the image."""
    size = _size(answer)
    if size is not None and size > LARGEST:
        return _too_large(size)
    return Fault("is empty", "upload it again") if size == 0 else None


def judge(got: Answer) -> Picture | Fault:
    """What the answer to a GET, of which the first bytes were read, holds. Never raises."""
    if fault := refusal(got) or misannounced(got):
        return fault
    kind, size = kind_of(got.body), _size(got)
    if fault := _misnamed(kind, got):
        return fault
    if size is None:
        return Fault("is sent without a Content-Length", "have its host tell the length")
    width, height = _measured(got.body)
    if not (width and height) and size <= len(got.body):
        return Fault(f"is a damaged {kind}", "upload it again")
    return Picture(kind, size, width, height)


def is_unmeasured(found: Picture | Fault) -> bool:
    """Whether more bytes would tell more."""
    return isinstance(found, Picture) and not found.width


def misfit(picture: Picture, model: str) -> Fault | None:
    """What a model has against an image's shape; of an unknown model nothing is known."""
    rules = KNOWN.get(model)
    if rules is None or not (picture.width and picture.height):
        return None
    least, most = rules.shapes
    shape = picture.width / picture.height
    if least <= shape <= most:
        return None
    bound = f"at least {least:g}" if shape < least else f"at most {most:g}"
    what = f"is {picture.width} x {picture.height}: width / height is {shape:.3g}"
    return Fault(f"{what}, {model} takes {bound}", "crop it, or pad it")


def kind_of(first: bytes) -> str:
    """The format that the first bytes are of, "" for none that is known."""
    return next((kind for kind, magic in _MAGIC if re.match(magic, first[:4096], re.S)), "")


def _misnamed(kind: str, got: Answer) -> Fault | None:
    """What is wrong with the format, as the bytes have it and as it is announced."""
    if kind not in _MEDIA:
        return _no_image(kind, got)
    media = _media(got)
    if media in _MEDIA[kind]:
        return None
    sent = f"is sent as {media}" if media else "is sent without a Content-Type"
    right = next(iter(_MEDIA[kind]))
    return Fault(f"is a {kind}, but {sent}", f"have its host send Content-Type: {right}")


def _no_image(kind: str, got: Answer) -> Fault:
    if not got.body:
        return Fault("is empty", "upload it again")
    if kind:
        return Fault(f"has the format {kind}", _CONVERT)
    if _PAGE.match(got.body):
        return Fault("is a web page, not an image", "give the address of the image itself")
    return Fault(f"is no image that is known ({_media(got) or 'no Content-Type'})", _CONVERT)


def _too_large(size: int) -> Fault:
    megabytes = f"{size / (1 << 20):.1f} MB"
    return Fault(f"has {megabytes}, more than {LARGEST >> 20} MB", "make it smaller")


def _measured(first: bytes) -> tuple[int, int]:
    """Width and height, 0 and 0 where these bytes don't tell."""
    width, height = imagesize.get(BytesIO(first))
    if not (isinstance(width, int) and isinstance(height, int)) or min(width, height) < 1:
        return 0, 0
    return width, height


def _size(answer: Answer) -> int | None:
    """The length of the whole image in bytes, if the answer tells."""
    total = re.fullmatch(r"bytes \d+-\d+/(\d{1,18})", answer.headers.get("content-range", ""))
    if answer.status == 206:
        return int(total[1]) if total else None
    length = answer.headers.get("content-length", "")
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def _media(answer: Answer) -> str:
    return _printable(answer.headers.get("content-type", "").partition(";")[0].strip().lower())


def _printable(text: str) -> str:
    return "".join(letter for letter in text[:200] if letter.isprintable())


def kept(picture: Picture) -> list[object]:
    """A picture as JSON."""
    return [picture.kind, picture.size, picture.width, picture.height]


def recalled(value: object) -> Picture | None:
    """The picture that `kept` made this of, None for anything else."""
    match value:
        case [str(kind), int(size), int(width), int(height)]:
            return Picture(kind, size, width, height)
        case _:
            return None


def bare(url: str) -> str:
    """An address as it is shown: without what may be a signature."""
    return re.split(r"[?#]", url, maxsplit=1)[0]
