"""Every request that the library can make."""

import inspect
from types import ModuleType

from telethon.tl import TLRequest, functions


def requests_in(module: ModuleType) -> set[type]:
    found: set[type] = set()
    for value in vars(module).values():
        if isinstance(value, ModuleType) and value.__name__.startswith(functions.__name__):
            found |= requests_in(value)
        elif isinstance(value, type) and issubclass(value, TLRequest) and value is not TLRequest:
            found.add(value)
    return found


ALL = requests_in(functions)
WRAPPERS = {kind for kind in ALL if "query" in inspect.signature(kind.__init__).parameters}  # type: ignore[misc]
