"""What goes in and out of the simulator, with no IO: a request, a reply, a film still to be drawn.

A skin (`server`, `transport`) turns bytes or an `httpx.Request` into a `Request`, asks the
simulator for a `Reply`, has the film drawn when the body is a `Film`, and performs the reply: it
waits `delay` seconds, sends the body, and breaks the connection where the reply says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from runner.sandbox.film import FilmSpec

Damage: TypeAlias = Literal["", "truncated", "reset", "short", "no-length"]
Connect: TypeAlias = Literal["", "connect-error", "connect-timeout", "pool-timeout"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `target` is path and query, header names are in lower case.

    `origin` is scheme, host and port as the client wrote them; film links begin with it.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    origin: str = "http://sandbox.invalid"


@dataclass(frozen=True, slots=True)
class Film:
    """A film to be drawn and put into a reply by `deliver`; `range` is the raw Range header."""

    spec: FilmSpec
    range: str = ""
    damage: Damage = ""
    head: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Header names are in lower case.

    `delay`: seconds before the first byte. `cut_after`: close the connection after so many bytes
    of the body while Content-Length announces all of it; 0 = before any byte of the answer.
    `reset`: that close is a TCP reset instead of an orderly end. `connect`: the client never got a
    connection, so it has sent nothing (only the in-process transport can do this).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | Film
    delay: float = 0.0
    cut_after: int | None = None
    reset: bool = False
    connect: Connect = ""


def json_reply(status: int, content: object, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply whose body is `content` as JSON."""
    body = json.dumps(content).encode()
    known = {"content-type": "application/json", "content-length": str(len(body))}
    return Reply(status, {**known, **(headers or {})}, body)


def hang_up(*, reset: bool = False) -> Reply:
    """A connection closed before any byte of an answer."""
    return Reply(500, {}, b"", cut_after=0, reset=reset)


def deliver(reply: Reply, data: bytes) -> Reply:
    """Put a drawn film into the reply that asked for one: its range, its length, its damage.

    A single byte range gives 206, one outside the film 416; any other Range header is ignored.
    """
    film = reply.body
    if not isinstance(film, Film):
        return reply
    whole = len(data) * 2 // 3 if film.damage == "short" else len(data)
    headers = {**reply.headers, "accept-ranges": "bytes"}
    wanted = byte_range(film.range, whole)
    status, start, end = 200, 0, whole
    if wanted is not None:
        start, end = wanted
        status = 206 if start < end else 416
        piece = f"{start}-{end - 1}" if start < end else "*"
        headers["content-range"] = f"bytes {piece}/{whole}"
    body = data[start:end]
    if film.damage != "no-length":
        headers["content-length"] = str(len(body))
    cut = len(body) // 2 if film.damage in ("truncated", "reset") else None
    return replace(
        reply,
        status=status,
        headers=headers,
        body=b"" if film.head else body,
        cut_after=None if film.head else cut,
        reset=film.damage == "reset",
    )


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """First and one-past-last byte of a single range; equal when it lies outside; None if none."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.replace(" ", ""))
    if not match or match[0] == "bytes=-":
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    start, end = int(match[1]), int(match[2] or size) + 1
    if end <= start:
        return None
    return (start, min(end, size)) if start < size else (size, size)
