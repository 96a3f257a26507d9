"""The simulation in short: some hundred seeds without a violation, those that once found something, and proof that it can fail.
`./dev sim` runs thousands, `./dev sim --mutate` plants every fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sim.mutating import Mutation, applied
from sim.mutations import MUTATIONS
from sim.runner import find, run_seed
from sim.scenario import LEAST_EVENTS

UNIT = Path(__file__).parents[1] / "unit"
SEEDS = 100
FOUND = (0, 4, 22, 72, 130, 206, 216, 386, 426, 678, 2865, 80284, 90059)
"""Seeds that found a fault once."""
SURE = (
    "replies are settled before they are committed",
    "an answer is told unsynced",
    "a window opens a second early",
    "what was running at a crash is started anew",
)
"""Planted faults that the first seeds find."""

pytestmark = [
    # A simulated process may die between making a coroutine and handing it to its loop.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("begin", range(0, SEEDS, 25))
def test_no_rule_is_broken(begin: int) -> None:
    results = [run_seed(seed, keep=40) for seed in range(begin, begin + 25)]
    broken = [r for r in results if r.broken]
    assert not broken, "\n".join([*broken[0].trace, f"{broken[0].broken}: {broken[0].what}"])
    assert min(r.events for r in results) >= LEAST_EVENTS


@pytest.mark.parametrize("seed", FOUND)
def test_seeds_that_found_something(seed: int) -> None:
    result = run_seed(seed, keep=40)
    assert result.broken is None, "\n".join([*result.trace, f"{result.broken}: {result.what}"])


def test_the_same_seed_is_the_same_story() -> None:
    assert run_seed(7, keep=None) == run_seed(7, keep=None)


@pytest.mark.parametrize("name", SURE)
def test_a_planted_fault_is_found(name: str) -> None:
    assert find(name, most=25).rule is not None


@pytest.mark.parametrize("fault", MUTATIONS, ids=lambda fault: fault.name)
def test_every_planted_fault_still_fits_the_code(fault: object) -> None:
    with applied(fault):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize("fault", [m for m in MUTATIONS if m.elsewhere], ids=lambda m: m.name)
def test_a_fault_that_is_found_elsewhere_names_a_test_that_exists(fault: Mutation) -> None:
    (name,) = re.findall(r"\btest_\w+", fault.elsewhere)
    places = [p for p in UNIT.rglob("test_*.py") if f"def {name}(" in p.read_text("utf-8")]
    assert len(places) == 1, f"{name} is in {places}"


def test_every_invariant_has_its_planted_faults() -> None:
    planted = [fault.invariant for fault in MUTATIONS]
    assert all(planted.count(number) >= 2 for number in range(1, 11))
