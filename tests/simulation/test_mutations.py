"""The test of the test: bugs planted on purpose are found within a few worlds."""

from __future__ import annotations

import pytest

from simulation import mutations_of_storage
from simulation.__main__ import make_folder
from simulation.mutations import MUTATIONS
from simulation.world import BrokenPromiseError, World

# A dead process leaves its generators unfinished; nothing of the kind happens to a live one.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MOST_WORLDS = 120
assert mutations_of_storage  # importing it puts its bugs on the list


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_planted_bug_is_caught(name: str) -> None:
    """Some world breaks a promise when the program has this bug."""
    home = make_folder()
    with MUTATIONS[name].planted():
        for seed in range(MOST_WORLDS):
            try:
                World(seed, home).run()
            except BrokenPromiseError as error:
                print(f"{name}: seed {seed}: {error}")
                home.rmdir()
                return
    pytest.fail(f"{MOST_WORLDS} worlds found nothing wrong: {MUTATIONS[name].words}")
