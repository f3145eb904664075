"""Where the providers are and how they are called. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from runner.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Api:
    """Where a provider is and how it is called.

    `feed` is "" where there is no second source, `account` where no call tells of the account.
    """

    name: str
    base_url: str
    key_variable: str
    submit: str
    task: str
    feed: str
    account: str = ""


APIS = {
    "cometapi": Api(
        name="cometapi",
        base_url="https://api.cometapi.com",
        key_variable="COMETAPI_KEY",
        submit="/runwayml/v1/image_to_video",
        task="/runwayml/v1/tasks/{id}",
        feed="/runway/feed",
    ),
    "runway": Api(
        name="runway",
        base_url="https://api.dev.runwayml.com",
        key_variable="RUNWAYML_API_SECRET",
        submit="/v1/image_to_video",
        task="/v1/tasks/{id}",
        feed="",
        account="/v1/organization",
    ),
    "sandbox": Api(
        name="sandbox",
        base_url="",
        key_variable="",
        submit="/runwayml/v1/image_to_video",
        task="/runwayml/v1/tasks/{id}",
        feed="/runway/feed",
    ),
}


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine, where plain HTTP shows the key to nobody."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_base_url(url: str) -> str:
    """The base URL without its last slash. Raises `ConfigurationError` for an unsafe one."""
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0 and parts.scheme in {"http", "https"}
    except ValueError:
        valid = False
    if "@" in url:
        raise ConfigurationError("the base URL may not hold a user or a password")
    if not valid or not set(url).isdisjoint("?# ") or not url.isprintable():
        raise ConfigurationError(
            f"{url.partition('?')[0]!r} is not a base URL; expected e.g. https://api.cometapi.com"
        )
    if parts.scheme == "http" and not is_loopback(url):
        raise ConfigurationError(f"{url}: plain http would send the key in the clear; use https")
    return url.rstrip("/")
