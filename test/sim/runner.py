"""Runs one seed and says what came of it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from sim.scenario import Scenario
from sim.world import Stop, Violation


@dataclass(frozen=True, slots=True)
class Result:
    """`broken`: the rule that was violated, if any, and `what` about it."""

    seed: int
    trace: list[str]
    broken: str | None = None
    what: str = ""


def run_seed(seed: int) -> Result:
    scenario = Scenario(seed)
    try:
        scenario.run()
    except Violation as violation:
        return Result(seed, scenario.world.trace, violation.rule, violation.what)
    except (Exception, Stop) as error:
        text = "".join(traceback.format_exception(error))
        return Result(seed, scenario.world.trace, "the simulation itself failed", text)
    finally:
        scenario.fleet.disk.close()
    return Result(seed, scenario.world.trace)


def report(result: Result, *, tail: int = 40) -> str:
    if result.broken is None:
        return f"seed {result.seed}: {len(result.trace)} events, no violation"
    lines = result.trace[-tail:] if tail else []
    return "\n".join(
        [f"seed {result.seed}: VIOLATED {result.broken}: {result.what[:1500]}", *lines]
    )
