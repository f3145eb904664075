"""Where a job's video goes: the output template, its check and its filling in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from runner.errors import ConfigurationError
from runner.jobs import Body
from runner.manifest.suggest import nearest
from runner.manifest.values import (
    MAX_PATH,
    InvalidError,
    identifier,
    is_id_character,
    shown,
)

DEFAULT = "outputs/{name}/{id}.mp4"
PLACEHOLDERS = ("name", "id", "model", "ratio", "seed", "duration")
SUFFIX = ".mp4"
UNSET = "auto"
# File systems take 255 bytes, and a video is `NAME.mp4.12345678.part` until it is whole.
MAX_PART = 230

_PLAIN = re.compile(r"[A-Za-z0-9_ -]+")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def parse(text: str) -> str:
    """Check a template and complete it: a folder becomes `folder/{id}.mp4`. Raises InvalidError."""
    _check_form(text)
    if strange := columns(text):
        near = nearest(strange[0], PLACEHOLDERS)
        known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
        hint = f"did you mean {{{near}}}?" if near else f"known are {known}"
        raise InvalidError(f"{shown(f'{{{strange[0]}}}')} is not a placeholder", hint)
    return _completed(text)


def parse_open(text: str) -> str:
    """The same, with any other name in braces taken for a column of the catalog."""
    _check_form(text)
    return _completed(text)


def _check_form(text: str) -> None:
    if not text.strip():
        raise InvalidError("is empty", f"write it like {DEFAULT}")
    if not text.isprintable() or len(text) > MAX_PATH:
        raise InvalidError(f"{shown(text)} can't be a path")
    if text.startswith("~"):
        raise InvalidError("`~` is not expanded here", "write the whole path")
    if "\\" in text:
        raise InvalidError(f"{shown(text)} has `\\` in it", "write / between folders")
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        raise InvalidError(f"{shown(text)} has a brace without its partner")


def _completed(text: str) -> str:
    names = _PLACEHOLDER.findall(text)
    last = text.rpartition("/")[2]
    if "id" not in names and not last.lower().endswith(SUFFIX):
        return f"{text.rstrip('/')}/{{id}}{SUFFIX}"
    if "id" not in names:
        raise InvalidError(f"{shown(text)} is one file for all jobs", "put {id} into it")
    if not last.endswith(SUFFIX) or last == SUFFIX:
        raise InvalidError(f"{shown(text)} doesn't name a .mp4 file", "let it end in .mp4")
    return text


def output_template(text: str) -> str:
    """The template that an output option or field stands for.

    A folder (no `{id}` in it, not ending in .mp4) means `{id}.mp4` in that folder. Raises
    ConfigurationError when it has unknown placeholders, names one file for all jobs, or does not
    end in .mp4.
    """
    try:
        return parse(text)
    except InvalidError as problem:
        hint = f" ({problem.hint})" if problem.hint else ""
        raise ConfigurationError(f"output: {problem.message}{hint}") from problem


def columns(template: str) -> tuple[str, ...]:
    """The names in a template that must be columns of the catalog."""
    names = dict.fromkeys(_PLACEHOLDER.findall(template))
    return tuple(name for name in names if name not in PLACEHOLDERS)


def segment(text: str) -> str:
    """A cell as part of a path: what no id may have in it becomes `-`. Raises InvalidError."""
    value = text if text.isascii() else unicodedata.normalize("NFC", text)
    if not _PLAIN.fullmatch(value):
        value = "".join(c if is_id_character(c) else "-" for c in value)
    value = re.sub(r"\.{2,}", ".", value).strip(".-+ ")
    if not value:
        raise InvalidError(f"{shown(text)} has nothing in it for a file's name")
    return identifier(value)


def too_long(path: str) -> str:
    """The part of a path that no file system takes as a name, "" when all are well."""
    return next((part for part in path.split("/") if len(part.encode()) > MAX_PART), "")


def fill(template: str, name: str, id: str, body: Body, labels: Mapping[str, str]) -> str:
    """The path of one video; `labels` are the cells of the columns that the template names.

    What the request or the row leaves open reads `auto`; `1280:720`, `1280x720`.
    """

    def value(match: re.Match[str]) -> str:
        key = match[1]
        if key == "name":
            return name
        if key == "id":
            return id
        if key not in PLACEHOLDERS:
            return labels.get(key, UNSET)
        return re.sub(r"[^\w.+-]", "-", str(body.get(key, UNSET)).replace(":", "x"))

    return _PLACEHOLDER.sub(value, template)


def may_collide(template: str) -> bool:
    """Whether two ids could lead to one path: only when something unbounded touches the id."""
    return bool(set(_PLACEHOLDER.findall(template)) - {"name", "id"})
