"""Numbers as a manifest writes them: counts, lengths of time, rates, and sums of money.

Parsers raise InvalidError, and only that. A name in `_PATTERN` is the same rule as a
regular expression for the JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from runner.jobs import Rate
from runner.manifest.values import InvalidError, shown

AUTO = "auto"
MAX_AMOUNT = 1_000_000
MAX_RATE = 100_000
RATE_UNITS = {
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("m", "min", "minute"), 60.0),
    **dict.fromkeys(("h", "hour"), 3_600.0),
    **dict.fromkeys(("d", "day"), 86_400.0),
}
_UNITS = {
    "d": Decimal(86_400),
    "h": Decimal(3_600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
_MAX_SPAN = 80
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,39})")
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_SPAN = re.compile("".join(rf"(?:({_NUMBER}){unit})?" for unit in _UNITS), re.ASCII)
_BOUNDLESS = 2**53
_MAX_HINTED = 40


def _in_either_case(word: str) -> str:
    """A pattern for it: JSON Schema has no flag that ignores case."""
    return "".join(f"[{letter.upper()}{letter}]" for letter in word)


AMOUNT_PATTERN = f"^{_NUMBER}$"
RATE_PATTERN = f"^[1-9][0-9]{{0,{len(str(MAX_RATE)) - 1}}} ?/ ?({'|'.join(RATE_UNITS)})$"
TIME_PATTERN = (
    f"^{_NUMBER}$|^(?=.)"
    + "".join(rf"(?:{_NUMBER} *{_in_either_case(unit)} *)?" for unit in _UNITS)
    + "$"
)


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
    if value > MAX_AMOUNT:
        raise InvalidError(f"{shown(text)} is out of range; it must be 0 to {MAX_AMOUNT}")
    return value


def millionths(value: Decimal) -> int:
    """An amount in whole millionths of its unit, halves rounded up."""
    return int((value * 1_000_000).to_integral_value(ROUND_HALF_UP))
