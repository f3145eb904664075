"""From the text of one value to the value itself. Parsers raise InvalidError, and only that."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from runner import models
from runner.jobs import Rate
from runner.manifest.suggest import nearest

MAX_PATH = 1_000
MAX_ID = 120
MAX_ID_BYTES = 200

# The marks (Mn, Mc) complete the letters of many scripts, and \w leaves most of them out.
_ID_PUNCTUATION = frozenset("._-+ ")
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
_UNITS = {
    "d": Decimal(86_400),
    "h": Decimal(3_600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
AUTO = "auto"
RATE_UNITS = {
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("m", "min", "minute"), 60.0),
    **dict.fromkeys(("h", "hour"), 3_600.0),
    **dict.fromkeys(("d", "day"), 86_400.0),
}
MAX_RATE = 100_000
_MAX_SPAN = 80
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,39})")
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_SPAN = re.compile("".join(rf"(?:({_NUMBER}){unit})?" for unit in _UNITS), re.ASCII)
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_MILLION = 1_000_000
_BOUNDLESS = 2**53
_MAX_HINTED = 40


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


def integer(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not _WHOLE.fullmatch(text):
            message = f"{shown(text)} is not a whole number"
            raise InvalidError(message, _whole_number_hint(text))
        value = int(text)
        if not low <= value <= high:
            boundless = high >= _BOUNDLESS and value < low
            span = f"at least {low}" if boundless else f"{low} to {high}"
            raise InvalidError(f"{value} is out of range; it must be {span}")
        return value

    return parse


def _whole_number_hint(text: str) -> str:
    """Read `1_000`, `1,000`, `5s`, `42.0` and `007` as people mean them; `1.000` is anything."""
    separators = "_, '\u2019\u00a0\u202f"
    pattern = rf"\+?0*([0-9][0-9{separators}]*?)(?:\.0{{1,2}})?\s*(?:s|sec|seconds?)?"
    bare = re.fullmatch(pattern, text, re.ASCII) if len(text) <= _MAX_HINTED else None
    return f"did you mean {int(re.sub(f'[{separators}]', '', bare[1]))}?" if bare else ""


def or_auto(number: Callable[[str], int]) -> Callable[[str], int | str]:
    """A parser of the word `auto`, or of a number."""

    def parse(text: str) -> int | str:
        if text == AUTO:
            return AUTO
        try:
            return number(text)
        except InvalidError as problem:
            meant = text.strip().lower() in {AUTO, "automatic", "dynamic", "adaptive", "max"}
            hint = problem.hint or (f"did you mean `{AUTO}`?" if meant else "")
            raise InvalidError(problem.message, hint) from None

    return parse


def rate(text: str) -> Rate:
    """So many in such a time: `30/min`, `2/s`, `500/h`, `10000/day`."""
    parts = re.fullmatch(r"(0|[1-9][0-9]{0,39}) ?/ ?([a-z]+)", text)
    if parts is None or parts[2] not in RATE_UNITS:
        raise InvalidError(f"{shown(text)} is not a rate", _rate_hint(text))
    count = int(parts[1])
    if not 1 <= count <= MAX_RATE:
        raise InvalidError(f"{shown(text)} is out of range; it must be 1 to {MAX_RATE}")
    return Rate(count, RATE_UNITS[parts[2]])


def _rate_hint(text: str) -> str:
    """Read `30 per minute`, `30/Minutes` and `30` as people mean them."""
    pattern = r"([1-9][0-9]{0,4})(?:\s*(?:/|per|an?|each|p)\s*([A-Za-z]+))?"
    meant = re.fullmatch(pattern, text.strip(), re.ASCII) if len(text) <= _MAX_HINTED else None
    if meant and meant[2] is None:
        return f"in what time? write it like {meant[1]}/min"
    unit = meant[2].lower().removesuffix("s") or "s" if meant and meant[2] else ""
    unit = {"hr": "h", "mn": "min", "m": "min"}.get(unit, unit)
    if meant and unit in RATE_UNITS:
        return f"did you mean {meant[1]}/{unit}?"
    return "write it like 30/min, 2/s, 500/h or 10000/day"


def boolean(text: str) -> bool:
    """`true`, `yes`, `on`, `false`, `no` or `off`, in any case."""
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise InvalidError(f"{shown(text)} is neither true nor false")


def seconds(text: str) -> float:
    """A length of time in seconds: `5s`, `10m`, `1h30m`, `500ms`, or a plain number of seconds."""
    if re.fullmatch(_NUMBER, text):
        return float(text)
    match = _SPAN.fullmatch(text.replace(" ", "").lower()) if len(text) <= _MAX_SPAN else None
    if match is None or not any(match.groups()):
        message = f"{shown(text)} is not a length of time"
        raise InvalidError(message, "write it like 5s, 10m, 2h or 1h30m")
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    return float(sum(Decimal(amount) * unit for amount, unit in parts if amount))


def span(low: float, high: float) -> Callable[[str], float]:
    """A parser of lengths of time from `low` to `high` seconds."""

    def parse(text: str) -> float:
        value = seconds(text)
        if not low <= value <= high:
            limits = f"{span_text(low)} to {span_text(high)}"
            raise InvalidError(f"{shown(text)} is out of range; it must be {limits}")
        return value

    return parse


def span_text(value: float) -> str:
    """A length of time as people write it, to the millisecond: `1h30m`, `500ms`."""
    rest = round(Decimal(str(value)), 3)
    text = ""
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            text += f"{count:f}".partition(".")[0] + unit
    return text or "0s"


def amount(text: str) -> Decimal:
    """A sum of money in the user's currency: a plain decimal number."""
    if not re.fullmatch(_NUMBER, text):
        hint = "write the number alone, with a point, like 0.32"
        raise InvalidError(f"{shown(text)} is not an amount", hint)
    value = Decimal(text)
    if value > _MILLION:
        raise InvalidError(f"{shown(text)} is out of range; it must be 0 to {_MILLION}")
    return value


def millionths(value: Decimal) -> int:
    """An amount in whole millionths of its unit, halves rounded up."""
    return int((value * _MILLION).to_integral_value(ROUND_HALF_UP))


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
    value = text.strip()
    if not value:
        raise InvalidError("is empty", "leave it out to send no prompt")
    _refuse_unprintable(value, allowed="\n\t")
    return value


def caption(text: str) -> str:
    """A text for people inside a video; space around it is dropped."""
    value = text.strip()
    if not value:
        raise InvalidError("is empty", "leave it out")
    _refuse_unprintable(value, allowed="\n\t")
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
    if re.fullmatch(r"[1-9][0-9]{0,4}:[1-9][0-9]{0,4}|auto(?:_[0-9a-z]{1,8})?", text):
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
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", text):
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


def _refuse_unprintable(text: str, allowed: str) -> None:
    if text.isprintable():
        return
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in allowed:
            raise InvalidError(f"has {named(character)} in it")


def named(character: str) -> str:
    """Name one character in a message."""
    if character == " ":
        return "a space"
    if character.isprintable():
        return shown(character)
    name = unicodedata.name(character, "a control character").lower()
    return f"{name} (U+{ord(character):04X})"


# ---------------------------------------------------------------- whom a run tells

KINDS = ("done", "failed", "remains", "person", "account")
_VARIABLE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_MAX_ADDRESS = 2_000


def service_url(text: str) -> str:
    """The address of a service that is told something over HTTP, or `env:NAME` that holds one.

    No message quotes the address: who has it can write to the service.
    """
    return _address(text, r"https?://[^/?#@]+([/?#][^@]*)?", "an http(s) address")


def notify_url(text: str) -> str:
    """An address as Apprise writes them (`mailto://…`, `slack://…`), or `env:NAME`."""
    return _address(text, r"[A-Za-z][A-Za-z0-9+.-]*://\S+", "an address like mailto://…")


def _address(text: str, pattern: str, expected: str) -> str:
    hint = "keep it out of the manifest: write env:NAME, and set that variable"
    if text.startswith("env:"):
        if not _VARIABLE.fullmatch(text):
            raise InvalidError(f"{shown(text)} names no variable", "write it like env:NOTIFY_URL")
        return text
    if len(text) > _MAX_ADDRESS or not text.isprintable() or not re.fullmatch(pattern, text):
        raise InvalidError(f"is not {expected}", hint)
    return text


def metrics_file(text: str) -> str:
    """A Prometheus textfile: its name ends in .prom, or no collector reads it."""
    path = file_name(text)
    if not path.endswith(".prom"):
        raise InvalidError(f"{shown(text)} doesn't end in .prom", "collectors read only *.prom")
    return path
