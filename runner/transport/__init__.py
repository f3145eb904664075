"""The one way to HTTP. Everything that its libraries can raise leaves here as one of two errors.

`NotSentError`: the request never reached the other side. `BrokenError`: it may have. That
difference decides whether a paid request may be sent again, so it is made here, once, from the
exact exception. A paid request goes over a connection of its own, by httpx's protocol engine
(httpcore), whose errors are exact. Free traffic (polls, downloads) goes over aiohttp's pool, which
costs a quarter as much, but calls a connection that was cut "never connected", and may ask a
question twice: there nothing hangs on it, and all that happens is `BrokenError`. No retry of a
paid request and no redirect is ever a library's own choice.

`client` and `strangers` say what is asked for; a `door` translates what goes wrong into
`failures`, and reads a `whole` answer; `carriers` send, over `sockets` of their own or a library's
(`pooled`).
"""

from __future__ import annotations

from runner.transport.client import Download, Transport
from runner.transport.failures import BrokenError, NotSentError, TransportError
from runner.transport.strangers import Onlooker, tell

__all__ = [
    "BrokenError",
    "Download",
    "NotSentError",
    "Onlooker",
    "Transport",
    "TransportError",
    "tell",
]
