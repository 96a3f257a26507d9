"""`./dev sim`: runs seeds, replays one with its trace, or plants faults and looks whether they are found."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from sim.mutations import MUTATIONS
from sim.runner import Result, find_all, run_all, run_seed


def main(argv: Sequence[str]) -> int:
    asked = _arguments(argv)
    if asked.mutate is not None:
        return _mutate(asked.mutate, jobs=asked.jobs, most=asked.most)
    if asked.seed is not None:
        return _replay(asked.seed)
    return _run(range(asked.start, asked.start + asked.seeds), jobs=asked.jobs)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many to run")
    parser.add_argument("--start", type=int, default=0, help="the first one")
    parser.add_argument("--seed", type=int, help="run this one and print all that happens")
    parser.add_argument("--jobs", type=int, default=1, help="processes to use")
    parser.add_argument(
        "--mutate",
        nargs="?",
        const="",
        metavar="TEXT",
        help="plant the faults with this in their names",
    )
    parser.add_argument("--most", type=int, default=400, help="seeds to try for each fault")
    return parser.parse_args(argv)


def _replay(seed: int) -> int:
    result = run_seed(seed, keep=None)
    print("\n".join(result.trace))
    print(_told(result))
    return result.broken is not None


def _run(seeds: Sequence[int], *, jobs: int) -> int:
    begin, events, failed = time.perf_counter(), 0, 0
    for result in run_all(seeds, jobs=jobs):
        events += result.events
        if result.broken is not None:
            failed += 1
            print("\n".join(result.trace))
            print(_told(result), flush=True)
    spent = time.perf_counter() - begin
    rate = len(seeds) / spent
    print(
        f"{len(seeds)} seeds, {events} events, {spent:.1f} s, {rate:.1f} seeds/s, {failed} failed"
    )
    return failed > 0


def _told(result: Result) -> str:
    if result.broken is None:
        return f"seed {result.seed}: {result.events} events, no violation"
    return f"seed {result.seed}: VIOLATED {result.broken}: {result.what[:2000]}"


def _mutate(text: str, *, jobs: int, most: int) -> int:
    """0 when each planted fault is found, or is known to be found elsewhere."""
    faults = [m for m in MUTATIONS if text in m.name]
    elsewhere = {m.name: m.elsewhere for m in faults}
    invariants = {m.name: m.invariant for m in faults}
    missed = 0
    for found in find_all(faults, jobs=jobs, most=most):
        by = found.rule or elsewhere[found.name] or "NOT FOUND"
        missed += by == "NOT FOUND"
        print(f"{invariants[found.name]:>2}  {found.name:<66} {found.seeds:>4}  {by}", flush=True)
    print(f"{len(faults)} faults planted, {missed} not found")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
