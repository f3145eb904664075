"""What a request must bring: a key, a version, and a body that keeps to the published rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from runner.sandbox.answers import House, Issue, invalid_body, issue, refusal
from runner.sandbox.wire import Reply

SEED_MODEL = "gen3a_turbo"  # the one model whose page publishes exact rules
SEED_RATIOS = (
    *("1280:720", "720:1280", "1104:832", "832:1104"),
    *("960:960", "1584:672", "1280:768", "768:1280"),
)
SEED_DURATIONS = (5, 10)
SEED_PROMPT = 512
OTHER_PROMPT = 1000
SEED_LARGEST = 999_999_999
OTHER_LARGEST = 2**32 - 1
LONGEST_SECONDS = 600
LONGEST_URL = 2048


def check_headers(headers: Mapping[str, str], key: str | None, house: House) -> Reply | None:
    """The refusal for a missing or wrong key (401) or version (400); None when both are there."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() != "bearer" or not given or (key is not None and given != key):
        return refusal("401", house)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", headers.get("x-runway-version", "")):
        return invalid_body([issue("invalid_type", "X-Runway-Version", "Send 2024-11-06")])
    return None


def read_object(body: bytes) -> dict[str, object] | None:
    """The JSON object in a body, or None when it holds anything else."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def check_body(body: Mapping[str, object], house: House) -> list[Issue]:
    """What breaks the rules of `image_to_video`, everything at once; empty when all is well.

    `gen3a_turbo` is held to its page; any other model only to what holds for all of them.
    """
    strict = body.get("model") == SEED_MODEL
    found = [_image(body, strict), _model(body), _prompt(body, strict)]
    found += [
        _seed(body, strict),
        _watermark(body, house),
        _duration(body, strict),
        _ratio(body, strict),
    ]
    return [item for item in found if item]


def _image(body: Mapping[str, object], strict: bool) -> Issue | None:
    image = body.get("promptImage")
    if not isinstance(image, str) or not image:
        return issue("invalid_type", "promptImage", "Expected string")
    if image.startswith("data:image/") and not strict:
        return None
    if not re.match(r"https://[^/\s]+", image):
        return issue("invalid_string", "promptImage", "Must be an https URL")
    if len(image) > LONGEST_URL:
        return issue("too_big", "promptImage", f"Must be at most {LONGEST_URL} characters")
    return None


def _model(body: Mapping[str, object]) -> Issue | None:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        return issue("invalid_type", "model", "Expected string")
    return None


def _prompt(body: Mapping[str, object], strict: bool) -> Issue | None:
    prompt = body.get("promptText", "")
    if not isinstance(prompt, str):
        return issue("invalid_type", "promptText", "Expected string")
    most = SEED_PROMPT if strict else OTHER_PROMPT
    length = len(prompt) if strict else len(prompt.encode("utf-16-le", "surrogatepass")) // 2
    return issue("too_big", "promptText", f"At most {most} characters") if length > most else None


def _seed(body: Mapping[str, object], strict: bool) -> Issue | None:
    seed = body.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        return issue("invalid_type", "seed", "Expected integer")
    most = SEED_LARGEST if strict else OTHER_LARGEST
    if not 0 <= seed <= most:
        return issue("too_small" if seed < 0 else "too_big", "seed", f"From 0 to {most}")
    return None


def _watermark(body: Mapping[str, object], house: House) -> Issue | None:
    if "watermark" in body and house == "runway":
        return issue("unrecognized_keys", "", "Unrecognized key(s) in object: 'watermark'")
    if not isinstance(body.get("watermark", False), bool):
        return issue("invalid_type", "watermark", "Expected boolean")
    return None


def _duration(body: Mapping[str, object], strict: bool) -> Issue | None:
    duration = body.get("duration", SEED_DURATIONS[0])
    if not isinstance(duration, int | float) or isinstance(duration, bool):
        return issue("invalid_type", "duration", "Expected number")
    if strict and duration not in SEED_DURATIONS:
        return issue("invalid_union", "duration", "Must be 5 or 10")
    if not 0 < duration <= LONGEST_SECONDS:
        return issue("custom", "duration", f"Must be more than 0, at most {LONGEST_SECONDS}")
    return None


def _ratio(body: Mapping[str, object], strict: bool) -> Issue | None:
    ratio = body.get("ratio", SEED_RATIOS[0])
    if not isinstance(ratio, str):
        return issue("invalid_type", "ratio", "Expected string")
    if strict and ratio not in SEED_RATIOS:
        return issue("invalid_enum_value", "ratio", f"Must be one of {', '.join(SEED_RATIOS)}")
    return None
