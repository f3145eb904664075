"""Which request is which call: CometAPI's paths, Runway's own, films, images and the audit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import unquote

from runner.sandbox.answers import House

Call: TypeAlias = Literal[
    "submit", "poll", "feed", "delete", "film", "picture", "account", "ledger", "other"
]


@dataclass(frozen=True, slots=True)
class Route:
    """A call found for a request: who answers, and what it is about.

    That is a task's id, an image's place, or "" when the path holds neither.
    """

    call: Call
    house: House
    task_id: str = ""


_TABLE: tuple[tuple[str, str, Call, House], ...] = (
    ("POST", r"/runwayml/v1/image_to_video", "submit", "comet"),
    ("GET", r"/runwayml/v1/tasks/([^/]+)", "poll", "comet"),
    ("DELETE", r"/runwayml/v1/tasks/([^/]+)", "delete", "comet"),
    ("POST", r"/runway/feed", "feed", "comet"),
    ("POST", r"/v1/image_to_video", "submit", "runway"),
    ("GET", r"/v1/tasks/([^/]+)", "poll", "runway"),
    ("DELETE", r"/v1/tasks/([^/]+)", "delete", "runway"),
    ("GET|HEAD", r"/films/([^/]+)\.mp4", "film", "films"),
    ("GET", r"/v1/organization", "account", "runway"),
    ("GET|HEAD", r"/pictures/(.+)", "picture", "films"),
    ("GET", r"/sandbox/ledger", "ledger", "comet"),
)


def find_route(method: str, path: str) -> Route:
    """The route for a method and a path without its query; call "other" when there is none."""
    for methods, pattern, call, house in _TABLE:
        match = re.fullmatch(pattern, path)
        if match and method in methods.split("|"):
            return Route(call, house, unquote(match[1]) if match.groups() else "")
    return Route("other", "comet")
