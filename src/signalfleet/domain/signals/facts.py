"""Facts: what each piece of a text is, and which line and clause it stands in."""

from typing import Final

MAX_NUMBERS: Final = 120
MAX_CLAUSE: Final = 150
UNKNOWN: Final = "unknown"
NUM: Final = "num"
BREAK: Final = "line"

SILENT: Final = frozenset({"bullet", "colon", "equals", "at", "hash", "arrow"})


class Item:
    """One fact. `value` is the symbol, the raw number or the word itself."""

    __slots__ = (
        "clause",
        "end",
        "is_glued",
        "line",
        "role",
        "start",
        "unit",
        "value",
    )

    def __init__(
        self,
        role: str,
        value: str,
        start: int,
        end: int,
        line: int,
        clause: int,
        is_glued: bool,  # noqa: FBT001 - as above
    ) -> None:
        self.role = role
        self.value = value
        self.start = start
        self.end = end
        self.line = line
        self.clause = clause
        self.is_glued = is_glued
        self.unit = ""

    def __repr__(self) -> str:
        return f"{self.role}:{self.value}{'~' + self.unit if self.unit else ''}"


class Clause:
    """What is known of one clause as a whole."""

    __slots__ = ("asks", "items", "moods", "roles", "unknown")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.moods: set[str] = set()
        self.roles: set[str] = set()
        self.unknown = 0
        self.asks = False


class Facts:
    """All facts of one text, in its order."""

    __slots__ = ("clauses", "evidence", "folded", "is_too_long", "items", "moods", "roles")

    def __init__(self, folded: str) -> None:
        self.folded = folded
        self.items: list[Item] = []
        self.clauses: list[Clause] = []
        self.moods: set[str] = set()
        self.roles: set[str] = set()
        self.evidence: dict[str, int] = {}
        self.is_too_long = False


MOOD_NAMES: Final = frozenset(
    "member negation question past future conditional optional confirmation pre_alert example "
    "advert recap other_market news wish later hearsay".split()
)


def fill_clauses(facts: Facts) -> None:
    """Collect for every clause its facts, moods and unknown words."""
    last = facts.items[-1].clause if facts.items else -1
    clauses = facts.clauses = [Clause() for _ in range(last + 1)]
    for item in facts.items:
        clause = clauses[item.clause]
        role = item.role
        clause.items.append(item)
        if role in MOOD_NAMES:
            clause.moods.add(role)
            facts.moods.add(role)
        elif role == UNKNOWN:
            clause.unknown += 1
        elif role == "ask":
            clause.asks = True
        clause.roles.add(role)
        facts.roles.add(role)
