"""A stand-in for the provider: a simulator without IO, a server, a transport, and real films.

Built from the wire's description alone; it imports nothing from the rest of the package, so that
the two can't share a misunderstanding.
"""

from runner.sandbox.faults import KINDS, Fault
from runner.sandbox.film import FilmSpec, MissingExtraError, render, tiny
from runner.sandbox.ledger import LedgerFileError
from runner.sandbox.reading import Span
from runner.sandbox.server import Server, serve
from runner.sandbox.settings import DIALECTS, Settings
from runner.sandbox.simulator import Simulator
from runner.sandbox.tasks import Charge, Task
from runner.sandbox.transport import SandboxTransport
from runner.sandbox.wire import Reply, Request

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
