"""The state file: jobs as they are, events as they came, and the runs that wrote them."""

from runner.ledger.archives import Log, logs_of
from runner.ledger.ledger import Ledger
from runner.ledger.lock import StateLock, is_locked
from runner.ledger.place import refuse_unsafe
from runner.ledger.pruning import Prunable, archive_logs, archive_of, archives_of, prunable, shrink
from runner.ledger.reading import Origin
from runner.ledger.rescue import Rescued
from runner.ledger.rows import PastEvent

__all__ = [
    "Ledger",
    "Log",
    "Origin",
    "PastEvent",
    "Prunable",
    "Rescued",
    "StateLock",
    "archive_logs",
    "archive_of",
    "archives_of",
    "is_locked",
    "logs_of",
    "prunable",
    "refuse_unsafe",
    "shrink",
]
