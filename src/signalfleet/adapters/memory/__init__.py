"""The store in memory: every promise of the port, and nothing survives the process.

For tests and rehearsals. It keeps domain values as they are, so it shares no mapping with the SQL
store, and the one contract suite judges both.
"""

from signalfleet.adapters.memory.store import MemoryStore

__all__ = ["MemoryStore"]
