"""`python -m drills [ID...] [--json]`: run drills one after the other."""

import importlib
import pkgutil
import re
import sys

import drills
from bench.report import Named, run_named

_DRILL = re.compile(r"d(\d+)_\w+")


def registry() -> dict[str, Named]:
    """Return the drills by id, in the order of their numbers."""
    names = [module.name for module in pkgutil.iter_modules(drills.__path__)]
    numbered = sorted((int(match[1]), name) for name in names if (match := _DRILL.fullmatch(name)))
    found: dict[str, Named] = {}
    for _, name in numbered:
        module = importlib.import_module(f"drills.{name}")
        if module.ID in found:
            raise ValueError(f"two drills are called {module.ID}; the second is drills/{name}.py")
        found[module.ID] = Named(title=module.TITLE, run=module.run)
    return found


if __name__ == "__main__":
    sys.exit(run_named(registry()))
