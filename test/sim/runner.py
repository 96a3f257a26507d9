"""Runs seeds, one by one or on several processors, and looks for planted faults."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sim.mutating import Mutation, applied
from sim.mutations import MUTATIONS
from sim.scenario import Scenario
from sim.world import Stop, Violation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result:
    """`broken`: the rule that was violated, if any, and `what` about it."""

    seed: int
    events: int
    broken: str | None = None
    what: str = ""
    trace: tuple[str, ...] = ()


def run_seed(seed: int, *, keep: int | None = 0) -> Result:
    """`keep`: how many last lines of the trace to keep when a rule is broken; None keeps all, in any case."""
    scenario = Scenario(seed)
    broken, what = None, ""
    try:
        scenario.run()
    except Violation as violation:
        broken, what = violation.rule, violation.what
    except (Exception, Stop) as error:
        broken = "the simulation itself failed"
        what = "".join(traceback.format_exception(error))
    finally:
        scenario.fleet.close()
    trace = scenario.world.trace
    kept = trace if keep is None else trace[-keep:] if keep and broken else []
    return Result(seed, len(trace), broken, what, tuple(kept))


@dataclass(frozen=True, slots=True)
class Found:
    """`seeds`: how many it took, or were tried."""

    name: str
    rule: str | None
    seeds: int


def find(name: str, *, most: int) -> Found:
    """Run seeds with this fault planted until a rule is broken."""
    (fault,) = [m for m in MUTATIONS if m.name == name]
    with applied(fault):
        for seed in range(most):
            result = run_seed(seed)
            if "NameError" in result.what:
                raise LookupError(
                    f"{name!r} uses a name that its place does not know: {result.what}"
                )
            if result.broken is not None:
                return Found(name, result.broken, seed + 1)
    return Found(name, None, most)


def find_all(faults: Iterable[Mutation], *, jobs: int, most: int) -> Iterator[Found]:
    return spread(partial(find, most=most), [fault.name for fault in faults], jobs=jobs)


def run_all(seeds: Iterable[int], *, jobs: int, keep: int = 60) -> Iterator[Result]:
    return spread(partial(run_seed, keep=keep), list(seeds), jobs=jobs, chunk=10)


def spread(work: Callable[[Any], T], items: list[Any], *, jobs: int, chunk: int = 1) -> Iterator[T]:
    if jobs == 1:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(work, items, chunksize=chunk)
