"""A batch runner for image-to-video manifests: never pays twice, never loses a paid video.

As a library: `load` a manifest, `plan` what it would buy, `run` it; docs/python.md tells more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.api import load, plan, run
    from runner.batch import Batch
    from runner.company import Company, Controls
    from runner.errors import (
        ConfigurationError,
        ExitCode,
        Finding,
        LockedError,
        ManifestError,
        RunnerError,
        StateError,
    )
    from runner.planning import Plan
    from runner.session import Outcome

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Company",
    "ConfigurationError",
    "Controls",
    "ExitCode",
    "Finding",
    "LockedError",
    "ManifestError",
    "Outcome",
    "Plan",
    "RunnerError",
    "StateError",
    "load",
    "plan",
    "run",
]

_ROOMS = {
    "Batch": "batch",
    "Company": "company",
    "Controls": "company",
    "Outcome": "session",
    "Plan": "planning",
    "load": "api",
    "plan": "api",
    "run": "api",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for, so that starting stays quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"runner.{_ROOMS.get(name, 'errors')}"), name)
