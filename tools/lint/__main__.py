"""`python -m tools.lint FOLDER...`: print what breaks our own rules; exit status 1 if any."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.lint import (
    long_code,
    metric_labels,
    no_retry_of_orders,
    pattern_repeats,
    secret_in_text,
    submit_in_execute,
    user_paths,
)
from tools.lint.source import Check, Finding, Source

RULES: dict[str, Check] = {
    "submit-in-execute": submit_in_execute.check,
    "metric-labels": metric_labels.check,
    "no-retry-of-orders": no_retry_of_orders.check,
    "pattern-repeats": pattern_repeats.check,
    "user-paths": user_paths.check,
    "secret-in-text": secret_in_text.check,
    "long-code": long_code.check,
}


def findings(source: Source) -> Iterator[Finding]:
    allowed = source.allowances()
    for rule, check in RULES.items():
        for node, message in check(source):
            line = getattr(node, "lineno", 1)
            if rule not in (allowed.get(line), allowed.get(line - 1)):
                yield Finding(str(source.path), line, rule, message)
    for line, rule in allowed.items():
        if rule not in RULES:
            yield Finding(str(source.path), line, "allowance", f"there is no rule {rule!r}")


def main(folders: Sequence[str]) -> int:
    root = Path.cwd()
    files = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    if not files:
        print(f"No Python files under {' '.join(folders) or 'nothing'}", file=sys.stderr)
        return 2
    found = sorted({f for path in files for f in findings(Source.read(root, path))})
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
