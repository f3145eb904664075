"""The state file: jobs as they are, events as they came, and the runs that wrote them."""

from runner.ledger.ledger import Ledger, Origin, PastEvent
from runner.ledger.lock import StateLock, is_locked
from runner.ledger.rescue import Rescued

__all__ = ["Ledger", "Origin", "PastEvent", "Rescued", "StateLock", "is_locked"]
