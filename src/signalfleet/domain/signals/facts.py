"""Facts: what each piece of a text is, and which line and clause it stands in."""

from decimal import Decimal
from typing import Final

MAX_NUMBERS: Final = 120
MAX_CLAUSE: Final = 150
UNKNOWN: Final = "unknown"
NUM: Final = "num"
BREAK: Final = "line"

SILENT: Final = frozenset({"bullet", "colon", "equals", "at", "hash", "arrow"})
MOOD_NAMES: Final = frozenset(
    "member negation question past future conditional optional confirmation pre_alert example "
    "advert recap other_market news wish later hearsay".split()
)


class Item:
    """One fact. `value` is the symbol, the raw number or the word itself.

    `options` is what a number may mean, most usual first.
    """

    __slots__ = (
        "clause",
        "end",
        "is_glued",
        "line",
        "options",
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
        self.options: tuple[Decimal, ...] = ()

    def __repr__(self) -> str:
        return f"{self.role}:{self.value}{'~' + self.unit if self.unit else ''}"


class Clause:
    """One clause: its facts, and what they say of it as a whole.

    Few clauses of a message are ever asked, so the answers are found when they are. A part of a
    clause has the moods of the `whole`.
    """

    __slots__ = ("_roles", "items", "whole")

    def __init__(self, items: list[Item], whole: "Clause | None" = None) -> None:
        self.items = items
        self.whole = whole
        self._roles: set[str] | None = None

    @property
    def roles(self) -> set[str]:
        if self._roles is None:
            self._roles = {item.role for item in self.items}
        return self._roles

    @property
    def moods(self) -> set[str]:
        return (self.whole or self).roles & MOOD_NAMES

    @property
    def asks(self) -> bool:
        return "ask" in (self.whole or self).roles

    @property
    def unknown(self) -> int:
        """Return how many words are in no list."""
        if UNKNOWN not in self.roles:
            return 0
        return sum([item.role == UNKNOWN for item in self.items])


class Facts:
    """All facts of one text, in its order.

    `numbers` are those of its items; `has_end` tells that a word may say until when it holds.
    """

    __slots__ = (
        "clauses",
        "evidence",
        "folded",
        "has_end",
        "is_too_long",
        "items",
        "moods",
        "numbers",
        "roles",
    )

    def __init__(self, folded: str) -> None:
        self.folded = folded
        self.items: list[Item] = []
        self.numbers: list[Item] = []
        self.clauses: list[Clause] = []
        self.moods: set[str] = set()
        self.roles: set[str] = set()
        self.evidence: dict[str, int] = {}
        self.is_too_long = False
        self.has_end = False


def fill_clauses(facts: Facts) -> None:
    """Share the facts out to their clauses, and collect what roles there are."""
    facts.roles = {item.role for item in facts.items}
    facts.moods = facts.roles & MOOD_NAMES
    last = -1
    items: list[Item] = []
    for item in facts.items:
        # A clause of decoration alone has no facts, but keeps its number.
        while last < item.clause:
            last += 1
            items = []
            facts.clauses.append(Clause(items))
        items.append(item)
