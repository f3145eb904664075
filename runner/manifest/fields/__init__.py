"""The fields of a manifest: the one table behind parsing, suggestions, schema and drafts."""

from __future__ import annotations

from runner.manifest.fields.field import DAY, SWITCH, Field, Parse, Schema
from runner.manifest.fields.job import AXES, DEFAULTS, JOB, WIRE
from runner.manifest.fields.sections import (
    BUDGET,
    CATALOG,
    CONFIRM,
    METADATA,
    NOTIFY,
    ON_DONE,
    PER_SECOND,
)
from runner.manifest.fields.top import MAX_CONCURRENCY, POSTERS, PREFLIGHTS, PROVIDERS, TOP

__all__ = [
    "AXES",
    "BUDGET",
    "CATALOG",
    "CONFIRM",
    "DAY",
    "DEFAULTS",
    "JOB",
    "MAX_CONCURRENCY",
    "METADATA",
    "NOTIFY",
    "ON_DONE",
    "PER_SECOND",
    "POSTERS",
    "PREFLIGHTS",
    "PROVIDERS",
    "SWITCH",
    "TOP",
    "WIRE",
    "Field",
    "Parse",
    "Schema",
]
