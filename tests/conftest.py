"""The order of the tests, their clock, and what every process that they start gets."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# Compiled once and kept, as an installed program is: else each of some hundred processes compiles
# the whole package for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A suite that a script started in the background ignores Ctrl-C, and would hand that on to the
# processes in which it is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Both judge by the wall's clock, that is the machine and how busy it is, not the code. The checks
# that count (too much filtered, too large) stay.
settings.register_profile(
    "timeless", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("timeless")

# They wait most of the time: begun last, they would keep one worker when all others are done.
LONGEST = (
    "test_make_run_and_make_run_again",
    "test_every_runner_command_works",
    "test_a_batch_survives_ten_blows",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first."""
    items.sort(key=lambda item: item.name not in LONGEST)
