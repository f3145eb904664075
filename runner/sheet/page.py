"""A sheet as one HTML page that asks nobody for anything. The one door of the template engine."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from runner.errors import ConfigurationError
from runner.sheet.cards import Card, State
from runner.sheet.charts import Clock, needs_a_person
from runner.sheet.sheet import Sheet
from runner.words import money, plural

# How a page of ours is told from any other file.
GENERATOR = "runner report"

_NO_VIDEO = {
    State.PLANNED: "not bought yet",
    State.SUBMITTING: "being ordered",
    State.RUNNING: "being made",
    State.RENDERED: "ready, not here yet",
    State.UNCERTAIN: "perhaps charged",
    State.HELD: "waits for your word",
    State.FAILED: "no video",
    State.DONE: "file missing",
}


def page(
    sheet: Sheet, video: Callable[[Card], str], clock: Clock, *, images: bool
) -> Iterator[str]:
    """The page, piece by piece.

    `video` gives a video's path relative to the page, or "". `clock` tells the reader's time.
    With `images`, source images are shown from their own addresses. Raises `ConfigurationError`
    when the template engine is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an extra
        from markupsafe import Markup  # noqa: PLC0415 - comes with it
    except ImportError:
        raise ConfigurationError(
            "the contact sheet needs the extra `report`: pip install "
            "'image-to-video-runner[report]'; --csv, --json and --junit need nothing"
        ) from None
    engine = Environment(
        loader=PackageLoader("runner.sheet", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters |= {
        "money": money,
        "counted": plural,
        "duration": duration,
        "share": share,
        "moment": lambda at: clock(at).strftime("%-d %b %Y, %H:%M"),
        "iso": lambda at: datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
    }
    style, script = _asset("sheet.css"), _asset("sheet.js")
    return engine.get_template("sheet.html.j2").generate(
        sheet=sheet,
        jobs=[job(card, address(video(card)), clock, images=images) for card in sheet.cards],
        images=images,
        generator=GENERATOR,
        policy=_policy(style, script, images=images),
        style=Markup(style),  # our own, from this package
        script=Markup(script),  # our own, from this package
    )


def _asset(name: str) -> str:
    return files("runner.sheet").joinpath("assets", name).read_text("utf-8")


def _policy(style: str, script: str, *, images: bool) -> str:
    """What the page may load: its own style and script, the videos beside it, the images asked."""
    allowed = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "media-src": "'self' file:",
        "img-src": "https:" if images else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def address(path: str) -> str:
    """A relative path as an address; `./` keeps a colon in it from being a scheme."""
    if not path:
        return ""
    quoted = quote(path.encode("utf-8", "surrogateescape"))
    return quoted if quoted.startswith(("/", ".")) else f"./{quoted}"


def job(card: Card, film: str, clock: Clock, *, images: bool) -> dict[str, Any]:
    """What the page's script shows of a card, finds it by and sorts it by; `film` is an address."""
    trouble = card.trouble
    request = f" (request {card.request_id})" if card.request_id else ""
    return {
        "number": card.number,
        "id": card.id,
        "state": card.state.value,
        "person": int(needs_a_person(card)),
        "model": card.model,
        "at": card.finished_at or card.submitted_at,
        "render": card.render,
        "spent": card.spent,
        "image": card.image if images else "",
        "name": card.image_name,
        "film": film,
        "instead": "" if film else _NO_VIDEO[card.state],
        "prompt": card.prompt,
        "facts": " · ".join(facts(card)),
        "figures": " · ".join(figures(card, clock)),
        "trouble": trouble.kind if trouble else "",
        "meaning": trouble.meaning if trouble else "",
        "remedy": trouble.remedy if trouble else "",
        "said": f"{card.code}: {card.message}{request}" if trouble and card.code else "",
        "commands": [(each.purpose, each.line) for each in card.commands],
    }


def facts(card: Card) -> list[str]:
    """What was asked: the model and the parameters, as people say them."""
    words = {"duration": "{} s", "seed": "seed {}", "ratio": "{}"}
    said = [words.get(name, f"{name} {{}}").format(value) for name, value in card.parameters]
    return [card.model, *said] if card.model else said


def figures(card: Card, clock: Clock) -> list[str]:
    """What became of it: cost, attempts, how long, when, how large."""
    said = []
    if card.spent:
        said.append(f"paid {money(card.spent)}")
    elif card.attempts:
        said.append("paid")
    elif card.price:
        said.append(f"would cost {money(card.price)}")
    if card.attempts > 1:
        said.append(f"{card.attempts} attempts")
    if card.render:
        said.append(f"made in {duration(card.render)}")
    if moment := card.finished_at or card.submitted_at:
        said.append(clock(moment).strftime("%-d %b, %H:%M"))
    if card.output and card.size:
        said.append(_size(card.size))
    if not card.in_manifest:
        said.append("no longer in the manifest")
    return said or ["nothing paid yet"]


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def duration(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours} h {minute:02d} min" if hours else f"{minutes} min {second:02d} s"


def share(part: float, whole: float) -> str:
    """A part of a whole as a percentage for a drawing."""
    return f"{100 * part / whole:.2f}%" if whole else "0%"
