"""`python -m drills.sim SEED`: repeat one seed and show what happened.

`python -m drills.sim FIRST LAST [--json]` plays a range and names the seeds that fail.
"""

import argparse
import sys
from typing import Final

from drills.sim.figures import Figures
from drills.sim.run import run_seed

PROGRESS_EVERY: Final = 250


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("last", type=int, nargs="?")
    parser.add_argument("--json", action="store_true", help="only the figures, as one line")
    wanted = parser.parse_args()
    if wanted.last is None:
        return _show(wanted.seed)
    figures = Figures()
    for seed in range(wanted.seed, wanted.last + 1):
        report = run_seed(seed)
        figures.count(report)
        if report.broken:
            broken = "; ".join(report.broken[:3])
            _say(f"seed {seed}: {broken}; repeat it with `python -m drills.sim {seed}`")
        if figures.seeds % PROGRESS_EVERY == 0:
            _say(f"{figures.seeds} of {wanted.last - wanted.seed + 1} seeds from {wanted.seed} on")
    failed = len(figures.failed)
    print(figures.line() if wanted.json else f"{failed} of {figures.seeds} seeds failed")
    return 1 if failed else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show(seed: int) -> int:
    report = run_seed(seed)
    print("\n".join(report.lines))
    print(f"digest {report.digest}")
    print("\n".join(report.broken) or "all laws hold")
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
