"""Group facts into blocks: one block is one idea with its levels, as far as the text shows it."""

from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.signals.facts import Item
from signalfleet.domain.signals.text import fold

MAX_INDEX: Final = 12
INDEX_DIGITS: Final = 2
MAX_GAP_WORDS: Final = 5
SIDES: Final = {
    "buy": Side.BUY,
    "sell": Side.SELL,
    "buy_loose": Side.BUY,
    "sell_loose": Side.SELL,
}
LABELS: Final = {
    "stop": "sl",
    "target": "tp",
    "entry": "entry",
    "zone": "entry",
    "price_word": "entry",
    "lots": "lots",
    "risk": "risk",
    "leverage": "leverage",
    "ignore": "skip",
    "r_unit": "skip",
    "old": "skip",
    "pips": "skip",
    "current": "skip",
}
STOP_ORDER_WORDS: Final = frozenset(
    fold(word) for word in ("stop", "стоп", "ستوب", "استاب", "استوب", "स्टॉप", "stopp")
)
JOINERS: Final = frozenset({"dash", "slash", "until", "amp", "comma", "pipe"})
DEAD_UNITS: Final = frozenset(
    {"percent", "time", "other", "ordinal", "leverage", "lots", "r", "plus"}
)
LINE_LABELS: Final = frozenset({"lots", "risk", "leverage", "skip"})
# Words after which a side is the name of a trade, not an order to open one.
TRADE_VERBS: Final = frozenset(
    "close cancel closed modified hit hit_stop hit_even hold half part invalid rest".split()
)
VETO_MOODS: Final = frozenset(
    {"negation", "past", "future", "conditional", "optional", "wish", "later", "question"}
)


class Level:
    """One written number (or an open target) with what led to it."""

    __slots__ = ("index", "item", "joiner", "leg")

    def __init__(self, item: Item | None, joiner: str, index: int = 0, leg: int = 0) -> None:
        self.item = item
        self.joiner = joiner
        self.index = index
        self.leg = leg


class Block:
    """The pieces of one idea, not yet judged."""

    __slots__ = (
        "entries",
        "flags",
        "half",
        "has_labelled_entry",
        "is_side_loose",
        "legs",
        "leverage",
        "lots",
        "money_entry",
        "other_side",
        "other_symbol",
        "relation",
        "result_marks",
        "risk",
        "side",
        "side_item",
        "stop_is_ticked",
        "stops",
        "symbol",
        "symbol_item",
        "target_r",
        "targets",
    )

    def __init__(self) -> None:
        self.symbol: str | None = None
        self.symbol_item: Item | None = None
        self.side: Side | None = None
        self.side_item: Item | None = None
        self.is_side_loose = False
        self.entries: list[Level] = []
        self.stops: list[Level] = []
        self.targets: list[Level] = []
        self.target_r: list[Item] = []
        self.lots: list[Item] = []
        self.money_entry: Item | None = None
        self.risk: Item | None = None
        self.leverage: Item | None = None
        self.flags: set[str] = set()
        self.relation = ""
        self.half = False
        self.legs = 0
        self.result_marks = 0
        self.stop_is_ticked = False
        self.has_labelled_entry = False
        self.other_side = False
        self.other_symbol: str | None = None

    @property
    def has_levels(self) -> bool:
        return bool(self.stops or self.targets)

    @property
    def has_numbers(self) -> bool:
        return bool(self.stops or self.targets or self.entries)
