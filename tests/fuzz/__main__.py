"""The long attack, `make fuzz`: prints a table, and fails on the first crash it has counted."""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.count import attack
from tests.fuzz.targets import TARGETS

SHARES = {
    **{"config": 0.265, "config_file": 0.004, "claims": 0.008, "settings": 0.005},
    **{"families": 0.4, "policies": 0.15, "tables": 0.012, "logs": 0.006, "functions": 0.15},
}
"""Of the calls; those that read files are slower."""


def main() -> int:
    """Attack every target, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3600.0, help="most for each target")
    parser.add_argument("--only", choices=list(TARGETS), action="append")
    given = parser.parse_args()
    crashed = 0
    print("| target | calls | accepted | refused | crashed | seconds |\n|---|---|---|---|---|---|")
    for target in given.only or TARGETS:
        begin = time.perf_counter()
        calls = given.calls if given.only else round(given.calls * SHARES[target])
        counts, crashes = attack(target, calls, given.seed, given.seconds)
        spent = time.perf_counter() - begin
        cells = (target, sum(counts.values()), *counts.values(), f"{spent:.0f}")
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        for crash in crashes:
            print(f"{crash.case}: {crash.error}", file=sys.stderr, flush=True)
        crashed += counts["crashed"]
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main())
