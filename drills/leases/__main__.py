"""`python -m drills.leases SEED [LAST]`: repeat seeds; one alone is told line by line."""

import sys

from drills.leases.run import run_seed


def main(arguments: list[str]) -> int:
    first = int(arguments[0])
    last = int(arguments[1]) if len(arguments) > 1 else first
    failed = 0
    for seed in range(first, last + 1):
        report = run_seed(seed)
        if first == last:
            sys.stdout.write("\n".join(report.lines) + "\n")
        for line in report.broken:
            sys.stdout.write(f"seed {seed}: {line}\n")
        failed += bool(report.broken)
    sys.stdout.write(f"{last - first + 1} seeds, {failed} broke a law\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
