"""`python -m sim`: run seeds, or replay one."""

from __future__ import annotations

import argparse
import sys
import time

from sim.runner import report, run_seed


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int)
    chosen = parser.parse_args(argv)
    if chosen.seed is not None:
        result = run_seed(chosen.seed)
        print("\n".join(result.trace))
        print(report(result))
        return result.broken is not None
    begin = time.perf_counter()
    failed = events = 0
    for seed in range(chosen.start, chosen.start + chosen.seeds):
        result = run_seed(seed)
        events += len(result.trace)
        if result.broken:
            failed += 1
            print(report(result, tail=0))
    spent = time.perf_counter() - begin
    print(
        f"{chosen.seeds} seeds, {events} events, {spent:.1f} s, {chosen.seeds / spent:.1f}/s, {failed} failed"
    )
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
