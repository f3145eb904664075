"""Ready-made answers: the error envelopes, and the reply for every fault that is only an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from math import ceil
from typing import Literal, TypeAlias

from runner.sandbox.dialects import Form, Invisible, not_visible
from runner.sandbox.faults import Fault
from runner.sandbox.wire import Reply, hang_up, json_reply

House: TypeAlias = Literal["comet", "runway", "films"]
Issue: TypeAlias = dict[str, object]

INVISIBLE: dict[str, Invisible] = {
    "invisible-400": "400",
    "invisible-code": "code",
    "invisible-message": "message",
    "invisible-status": "status",
    "invisible-404": "404",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Status, code and message of one error; the envelope depends on the house that answers."""

    status: int
    code: str
    message: str


TROUBLES = {
    "401": Trouble(401, "invalid_api_key", "Invalid token: it is wrong, expired or exhausted"),
    "402": Trouble(402, "quota_not_enough", "You have not enough credits to run this task"),
    "403": Trouble(403, "access_denied", "This key is not allowed to do this"),
    "403-quota": Trouble(403, "insufficient_user_quota", "The user's quota is not enough"),
    "404": Trouble(404, "not_found", "Not found"),
    "408": Trouble(408, "request_timeout", "The request timed out"),
    "422": Trouble(422, "unprocessable_entity", "The body was not understood"),
    "429": Trouble(429, "rate_limit_exceeded", "The upstream is saturated, try again later"),
    "daily-cap": Trouble(429, "daily_limit_exceeded", "The daily task limit is reached"),
    "500": Trouble(500, "internal_error", "Internal server error"),
    "500-invalid-request": Trouble(500, "invalid_request", "Invalid request"),
    "503": Trouble(503, "service_unavailable", "The service is overloaded"),
    "503-no-channel": Trouble(503, "model_not_found", "No available channel for this model"),
}
PROXY_PAGES = {"502": "Bad Gateway", "504": "Gateway Time-out", "524": "A Timeout Occurred"}


def refusal(kind: str, house: House) -> Reply:
    """The error of `TROUBLES[kind]` in the house's envelope."""
    trouble = TROUBLES[kind]
    if house == "runway":
        return json_reply(trouble.status, {"error": trouble.message})
    if house == "films":
        return film_error(trouble.status, trouble.code)
    error = {
        "message": trouble.message,
        "type": "comet_api_error",
        "param": "",
        "code": trouble.code,
    }
    return json_reply(trouble.status, {"error": error})


def invalid_body(issues: list[Issue]) -> Reply:
    """Runway's 400 for a body that breaks the rules."""
    return json_reply(400, {"error": "Validation of body failed", "issues": issues})


def issue(code: str, field: str, message: str) -> Issue:
    """One entry of `issues`."""
    return {"code": code, "path": [field] if field else [], "message": message}


def page(status: int, title: str) -> Reply:
    """An HTML page, as a web server or a proxy in between answers."""
    head, body = f"<head><title>{title}</title></head>", f"<body><h1>{title}</h1></body>"
    text = f"<!doctype html><html>{head}{body}</html>"
    return Reply(status, {"content-type": "text/html; charset=utf-8"}, text.encode())


def film_error(status: int, code: str) -> Reply:
    """The XML of an object store."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
    return Reply(status, {"content-type": "application/xml"}, body.encode())


def canned(fault: Fault, house: House, now: float) -> Reply | None:
    """The answer for a fault that needs nothing but an answer; None for every other kind."""
    kind = fault.kind
    if kind in TROUBLES:
        return refusal(kind, house)
    if kind in PROXY_PAGES:
        return page(int(kind), PROXY_PAGES[kind])
    if kind in INVISIBLE:
        return not_visible(Form("flat", invisible=INVISIBLE[kind]))
    return _OTHERS[kind](fault, house, now) if kind in _OTHERS else None


def _limited(house: House, value: str) -> Reply:
    reply = refusal("429", house)
    return Reply(reply.status, {**reply.headers, "retry-after": value}, reply.body)


_OTHERS: dict[str, Callable[[Fault, House, float], Reply]] = {
    "400": lambda fault, house, now: invalid_body([issue("custom", "promptImage", "Unusable")]),
    "429-empty": lambda fault, house, now: Reply(429, {}, b""),
    "429-retry-after": lambda fault, house, now: _limited(house, str(ceil(fault.seconds))),
    "429-retry-date": lambda fault, house, now: _limited(
        house, formatdate(ceil(now + fault.seconds), usegmt=True)
    ),
    "html": lambda fault, house, now: page(200, "Welcome"),
    "junk": lambda fault, house, now: Reply(
        200, {"content-type": "application/json"}, b'{"id": "3d9570'
    ),
    "redirect": lambda fault, house, now: Reply(301, {"location": "/elsewhere"}, b""),
    "cut": lambda fault, house, now: hang_up(),
    "reset": lambda fault, house, now: hang_up(reset=True),
    "expired": lambda fault, house, now: film_error(403, "AccessDenied"),
    "gone": lambda fault, house, now: film_error(404, "NoSuchKey"),
    "connect-error": lambda fault, house, now: Reply(0, {}, b"", connect="connect-error"),
    "connect-timeout": lambda fault, house, now: Reply(0, {}, b"", connect="connect-timeout"),
    "pool-timeout": lambda fault, house, now: Reply(0, {}, b"", connect="pool-timeout"),
}
