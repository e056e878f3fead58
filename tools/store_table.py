"""`python -m tools.store_table`: run the store's contract suite, print operation by store.

Exit status 1 if a cell failed or was not tried where it can be.
"""

import os
import subprocess
import sys
from pathlib import Path

SUITE = "tests/contract/store"


def main() -> int:
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", SUITE, *sys.argv[1:]]
    environment = {**os.environ, "STORE_TABLE": "1"}  # noqa: TID251 - A tool, not the product.
    return subprocess.run(command, cwd=root, env=environment, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
