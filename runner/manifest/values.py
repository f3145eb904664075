"""From the text of one value to the value itself. Parsers raise InvalidError, and only that."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from runner import models
from runner.manifest.suggest import nearest

MAX_PATH = 1_000
MAX_ID = 120
MAX_ID_BYTES = 200

# The marks (Mn, Mc) complete the letters of many scripts, and \w leaves most of them out.
_ID_PUNCTUATION = frozenset("._-+ ")
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
SWITCH = {"yes": True, "no": False, "on": True, "off": False, "true": True, "false": False}
# These two are regular expressions for Python and for JSON Schema alike.
RATIO = r"[1-9][0-9]{0,4}:[1-9][0-9]{0,4}|auto(?:_[0-9a-z]{1,8})?"
VERSION_DATE = r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


class InvalidError(ValueError):
    """A value that can't be used: why, and perhaps what was meant."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def shown(text: str, limit: int = 60) -> str:
    """Quote a value in a message: on one line, not too long, nothing a terminal would obey."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    safe = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)
    return f"`{safe}`"


def boolean(text: str) -> bool:
    """`true`, `yes`, `on`, `false`, `no` or `off`, in any case."""
    value = SWITCH.get(text.lower())
    if value is None:
        raise InvalidError(f"{shown(text)} is neither true nor false")
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser of one word out of a few."""

    def parse(text: str) -> str:
        if text in choices:
            return text
        near = nearest(text, choices)
        message = f"{shown(text)} is not known; one of {', '.join(choices)}"
        raise InvalidError(message, f"did you mean `{near}`?" if near else "")

    return parse


def prompt(text: str) -> str:
    """A text for the model; space around it is dropped, line breaks inside are kept."""
    return _lines(text, "leave it out to send no prompt")


def caption(text: str) -> str:
    """A text for people inside a video; space around it is dropped, line breaks are kept."""
    return _lines(text, "leave it out")


def _lines(text: str, instead: str) -> str:
    value = text.strip()
    if not value:
        raise InvalidError("is empty", instead)
    for character in () if value.isprintable() else value:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":
            raise InvalidError(f"has {named(character)} in it")
    return value


def preset(text: str) -> str:
    """The name of a camera move: letters, digits, spaces and - _ between them."""
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9 _-]{0,58}[A-Za-z0-9])?", text):
        hint = "use letters, digits, spaces and - _"
        raise InvalidError(f"{shown(text)} can't be the name of a camera move", hint)
    return text


def model(text: str) -> str:
    """The name of a model, known or not."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,119}", text):
        raise InvalidError(f"{shown(text)} can't be the name of a model")
    return text


def ratio(text: str) -> str:
    """`width:height`, or one of the words that some models take, such as `auto_720p`."""
    if re.fullmatch(RATIO, text):
        return text
    sides = re.fullmatch(
        r"0*([1-9][0-9]{0,4})\s*[xX\u00d7*/:;,-]\s*0*([1-9][0-9]{0,4})\s*(?:px|:00)?", text
    )
    hint = "write it like 1280:720"
    if sides:
        meant = f"{sides[1]}:{sides[2]}"
        near = meant if meant in models.RATIOS else models.nearest_ratio(meant, models.RATIOS)
        hint = f"did you mean {near}?"
    elif re.fullmatch(r"(?i:auto(?:_[0-9a-z]{1,8})?)", text):
        hint = f"did you mean {text.lower()}?"
    raise InvalidError(f"{shown(text)} is not a ratio", hint)


def format_version(text: str) -> str:
    """The version of the manifest's own format; there is one."""
    if text != "1":
        raise InvalidError(f"{shown(text)} is not a version of this format; it must be 1")
    return text


def version_date(text: str) -> str:
    """The date that names a version of Runway's API, such as 2024-11-06."""
    if not re.fullmatch(VERSION_DATE, text):
        raise InvalidError(f"{shown(text)} is not a version of the API", "write it like 2024-11-06")
    return text


def file_name(text: str) -> str:
    """The path of a file, as it is written."""
    if not text.strip() or not text.isprintable() or len(text) > MAX_PATH:
        raise InvalidError(f"{shown(text)} can't be a file's name")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise InvalidError("is an address, not a file", "download it and name the file")
    if text.startswith("~"):
        raise InvalidError("`~` is not expanded here", "write the whole path")
    return text


def identifier(text: str) -> str:
    """An id or name that is safe as a file's name on every system, in Unicode's composed form.

    1 to 120 letters and digits of any script, `. _ - +` and spaces; it begins with a letter, a
    digit or `_`, and doesn't end in a point or a space.
    """
    value = text if text.isascii() else unicodedata.normalize("NFC", text)
    if not value:
        raise InvalidError("is empty")
    if len(value) > MAX_ID:
        raise InvalidError(f"{len(value)} characters long; at most {MAX_ID} ({MAX_ID_BYTES} bytes)")
    size = len(value.encode("utf-8", "replace"))
    if size > MAX_ID_BYTES:
        raise InvalidError(f"{size} bytes long in UTF-8; at most {MAX_ID_BYTES}")
    if not _PLAIN_ID.fullmatch(value):
        bad = next((c for c in value if not is_id_character(c)), None)
        if bad is not None:
            hint = "use letters, digits, spaces and . _ - +"
            raise InvalidError(f"{shown(value)} has {named(bad)} in it", hint)
        if value[0] in ".-+ " or unicodedata.category(value[0])[0] == "M":
            raise InvalidError(f"{shown(value)} doesn't begin with a letter or digit")
        if value[-1] in ". ":
            raise InvalidError(f"{shown(value)} ends in a point or a space")
    if ".." in value:
        raise InvalidError(f"{shown(value)} has `..` in it")
    if _DEVICES.fullmatch(value):
        raise InvalidError(f"{shown(value)} is a reserved name on Windows")
    return value


def is_id_character(character: str) -> bool:
    """Whether an id may have this character somewhere in it."""
    return (
        character in _ID_PUNCTUATION
        or unicodedata.category(character)[0] in "LM"
        or unicodedata.category(character) == "Nd"
    )


def named(character: str) -> str:
    """Name one character in a message."""
    if character == " ":
        return "a space"
    if character.isprintable():
        return shown(character)
    name = unicodedata.name(character, "a control character").lower()
    return f"{name} (U+{ord(character):04X})"
