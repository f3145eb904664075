"""Whom a run tells, and how they are addressed. Parsers raise InvalidError, and only that."""

from __future__ import annotations

import re

from runner.manifest.values import InvalidError, file_name, shown

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
