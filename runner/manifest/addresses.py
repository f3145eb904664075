"""Addresses of images: what a provider can fetch, judged from the text alone."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

from runner.manifest.suggest import nearest
from runner.manifest.values import InvalidError, named, shown

MAX_URL = 2048
MAX_PORT = 65_535
_LIKE = "write it like https://cdn.example.com/a.jpg"
_HOST_IT = "put the image on a web server, give its https address"
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]\.?"
_PUBLIC_URL = re.compile(rf"https://{_DOMAIN}(?:/[!#-;=?-\[\]_a-z~]*)?")
_URL = re.compile(
    r"(?i:https)://(?:(?P<user>[^/?#]*)@)?"
    r"(?P<host>\[[^\]/?#]+\]|[^\[\]/?#:]+)(?::(?P<port>[^/?#]*))?(?:[/?#].*)?",
    re.DOTALL,
)


def image(text: str) -> str:
    """The HTTPS address of an image, at most 2,048 characters; nothing is fetched."""
    if len(text) > MAX_URL and not text.startswith("data:"):
        raise InvalidError(f"{len(text)} characters long; an address has at most {MAX_URL}")
    if _PUBLIC_URL.fullmatch(text):
        return text
    match = _URL.fullmatch(text)
    if match is None:
        raise InvalidError(*_not_https(text))
    if match["user"] is not None:
        raise InvalidError("carries a user name or password", "use a signed or public address")
    bad = next((c for c in text if not c.isprintable() or c in ' "<>\\^`{|}'), None)
    if bad is not None and re.search(r"\shttps?://", text, re.IGNORECASE):
        raise InvalidError("has more than one address in it", "one job has one image")
    if bad is not None:
        code = "".join(f"%{byte:02X}" for byte in bad.encode("utf-8", "replace"))
        hint = "remove it" if unicodedata.category(bad) == "Cf" else f"percent-encode it: {code}"
        raise InvalidError(f"{_shown(text)} has {named(bad)} in it", hint)
    if match["port"] is not None and not _is_port(match["port"]):
        raise InvalidError(f"{shown(match['port'])} is not a port")
    return text


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,4}", text) is not None and int(text) <= MAX_PORT


def _not_https(text: str) -> tuple[str, str]:
    """Why a text is no https address, and what to do."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", text)
    what, hint = f"{_shown(text)} is not https", "an image must have an https address"
    match scheme[1].lower() if scheme else "":
        case "data":
            what, hint = "is a data URI", _HOST_IT
        case "http":
            hint = "did you mean https:// ?"
        case "https":
            what, hint = f"{_shown(text)} is not a whole address", _LIKE
        case near if nearest(near, ["https"], cutoff=0.75):
            hint = "did you mean https:// ?"
        case "" if not text.strip():
            what, hint = "is empty", _LIKE
        case "" if text.startswith("//") or re.match(rf"{_DOMAIN}/", text):
            what, hint = f"{_shown(text)} has no scheme", "did you mean https:// before it?"
        case "" if re.match(r"(?i:https?)[/\\]", text):
            what, hint = f"{_shown(text)} is not a whole address", _LIKE
        case "" if re.search(r"(?i:https?)://", text):
            what = f"{_shown(text)} has something around the address"
            hint = "write the address alone"
        case "" if re.search(r"\$\{?\w|\{\{|%\w+%", text):
            what = f"{_shown(text)} has a variable in it; none is filled in here"
        case "":
            what = f"{_shown(text)} is a local path"
    return what, hint


def _shown(url: str) -> str:
    """An address in a message, without what may be secret: its user, password and query."""
    bare = re.sub(r"^([^/?#]*//)[^/?#]*@", r"\1", url[:MAX_URL])
    return shown(re.sub(r"[?#].*", "", bare, flags=re.DOTALL))


def private_host(url: str) -> str:
    """The host of an image's address when it is not a public domain name, else ""."""
    if _PUBLIC_URL.fullmatch(url):
        return ""
    match = _URL.fullmatch(url)
    host = match["host"] if match else ""
    return "" if re.fullmatch(_DOMAIN, host) or _is_foreign_domain(host) else host


def _is_foreign_domain(host: str) -> bool:
    """Whether the host is a domain name written in another script."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return not host.isascii() and "." in host
    return False
