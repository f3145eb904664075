"""Tells other machines: messages through Apprise, a heartbeat, a webhook, a metrics file.

Each function returns what is to be warned of, or ""; none ever raises or tells an address, which
is all that somebody needs to write there.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio
import anyio.to_thread

from runner.errors import ConfigurationError

_PATIENCE = 30.0
_BODY = 10_000


def resolved(text: str, field: str, environment: Mapping[str, str]) -> str:
    """An address, or what the variable holds that `env:NAME` names.

    Raises `ConfigurationError`, which names the variable and never what is in it.
    """
    if not text.startswith("env:"):
        return text
    name = text.removeprefix("env:")
    value = environment.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"{field}: the variable {name} is not set")
    if "://" not in value or not value.isprintable():
        raise ConfigurationError(f"{field}: what is in {name} is not an address")
    return value


def check_apprise() -> None:
    """Raise `ConfigurationError` where messages are asked for and Apprise is not installed."""
    if importlib.util.find_spec("apprise") is None:
        raise ConfigurationError(
            "notify needs Apprise: pip install 'image-to-video-runner[notify]'"
        )


async def send_message(urls: Sequence[str], title: str, body: str) -> str:
    """Send one message to every address."""
    try:
        with anyio.fail_after(_PATIENCE):
            return await anyio.to_thread.run_sync(
                _send, list(urls), title, body, abandon_on_cancel=True
            )
    except TimeoutError:
        return f"no end of it within {_PATIENCE:g} seconds"


def _send(urls: Sequence[str], title: str, body: str) -> str:
    import apprise  # noqa: PLC0415 - an extra, and slow to import

    # Its own words would break a run's silence, and may quote an address.
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").propagate = False
    troubles = []
    for number, url in enumerate(urls, 1):
        scheme = url.partition("://")[0]
        one = apprise.Apprise()
        try:
            if not one.add(url):
                troubles.append(f"address {number} ({scheme}) is none that Apprise knows")
            elif not one.notify(body=body[:_BODY], title=title):
                troubles.append(f"address {number} ({scheme}) did not take the message")
        except Exception as error:  # noqa: BLE001, RUF100 - a hundred plugins, each with its own
            troubles.append(f"address {number} ({scheme}): {type(error).__name__}")
    return "; ".join(troubles)


async def beat(url: str, event: str, words: str = "") -> str:
    """Ping a heartbeat: `event` is start, success or fail, as healthchecks-style services know."""
    parts = urlsplit(url)
    suffix = "" if event == "success" else f"/{event}"
    whole = urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix, fragment=""))
    return await _post(whole, words.encode("utf-8", "replace")[:_BODY], "text/plain; charset=utf-8")


async def post_json(url: str, value: Mapping[str, Any]) -> str:
    """Post a JSON object."""
    return await _post(url, json.dumps(value).encode(), "application/json")


async def _post(url: str, content: bytes, media_type: str) -> str:
    # An HTTP client takes as long to import as all else: who tells nobody has none.
    from runner.transport import TransportError, tell  # noqa: PLC0415

    try:
        status = await tell(url, content, media_type)
    except TransportError as error:
        return str(error)
    if 300 <= status < 400:
        return f"answered {status}, a redirect, which is not followed"
    return "" if status < 300 else f"answered {status}"


def write_metrics(path: Path, text: str) -> str:
    """Put the file in place whole, readable by whoever collects it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        return f"{path}: {error.strerror or error}"
    return ""
