"""`python -m tools.firebase_rules [--check]`: write deploy/firebase/rules.json from its source."""

import sys
from pathlib import Path
from typing import Final

from signalfleet.adapters.firebase.rules import rules_text

FILE: Final = Path(__file__).parents[1] / "deploy" / "firebase" / "rules.json"


def main(arguments: list[str]) -> int:
    wanted = rules_text()
    if "--check" in arguments:
        if FILE.exists() and FILE.read_text(encoding="utf-8") == wanted:
            return 0
        print("deploy/firebase/rules.json is old: python -m tools.firebase_rules")
        return 1
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
