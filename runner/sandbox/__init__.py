"""A stand-in for the provider: a simulator without IO, a server, a transport, and real films.

Built from the wire's description alone; it imports nothing from the rest of the package, so that
the two can't share a misunderstanding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.sandbox.faults import KINDS, Fault
from runner.sandbox.film import FilmSpec, MissingExtraError, render, tiny
from runner.sandbox.ledger import LedgerFileError
from runner.sandbox.reading import Span
from runner.sandbox.server import Server, serve
from runner.sandbox.settings import DIALECTS, Settings
from runner.sandbox.simulator import Simulator
from runner.sandbox.tasks import Charge, Task
from runner.sandbox.wire import Reply, Request

if TYPE_CHECKING:
    from runner.sandbox.transport import SandboxTransport

__all__ = [
    "DIALECTS",
    "KINDS",
    "Charge",
    "Fault",
    "FilmSpec",
    "LedgerFileError",
    "MissingExtraError",
    "Reply",
    "Request",
    "SandboxTransport",
    "Server",
    "Settings",
    "Simulator",
    "Span",
    "Task",
    "render",
    "serve",
    "tiny",
]


def __getattr__(name: str) -> object:
    """Import the transport when it is asked for: the server has no use for an HTTP client."""
    if name != "SandboxTransport":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from runner.sandbox.transport import SandboxTransport  # noqa: PLC0415 - see above

    return SandboxTransport
