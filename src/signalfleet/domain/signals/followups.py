"""Read later instructions about an earlier signal: clause by clause, word by word."""

from collections.abc import Callable
from typing import Final

from signalfleet.domain.signals.clause_parts import parts_of, starts_with_order
from signalfleet.domain.signals.clause_reader import VERBS
from signalfleet.domain.signals.close_reader import CloseReader
from signalfleet.domain.signals.facts import MAX_CLAUSE, NUM, Clause, Facts
from signalfleet.domain.signals.model import FollowUp, Reason, Report
from signalfleet.domain.signals.numbers import Band
from signalfleet.domain.signals.opens import MOOD_REASONS, Known

BLOCKING: Final = frozenset(
    "member negation conditional optional future question wish example news confirmation "
    "pre_alert later past other_market advert recap hearsay".split()
)
# These are said of the whole message, not of one clause.
SILENCING: Final = frozenset({"recap", "example", "other_market", "hearsay"})
REPORT_BLOCKING: Final = frozenset({"question", "future", "conditional", "example", "negation"})
MEANINGFUL: Final = frozenset(
    "stop target entry zone break_even close close_loose half part part_loose cancel pending "
    "hit hit_stop hit_even layer all first second third move remove trail old modified closed "
    "invalid rest position num symbol buy sell buy_loose sell_loose open_target none_word "
    "tick cross slash dash plus now limit stop_order until hold amp again profit".split()
)


class FollowUps:
    """What the follow-up grammar found in one text."""

    __slots__ = ("readings", "reasons")

    def __init__(self) -> None:
        self.readings: list[FollowUp | Report] = []
        self.reasons: set[Reason] = set()

    @property
    def has_action(self) -> bool:
        return any(isinstance(reading, FollowUp) for reading in self.readings)


def read_follow_ups(
    facts: Facts, bands: "dict[str, Band | None]", known: Known, source: str
) -> FollowUps:
    """Read the instructions and reports of a text, in its order."""
    found = FollowUps()
    if facts.roles.isdisjoint(_TRIGGERS):
        return found
    symbols: list[str] = []
    for item in facts.items:
        if item.role == "symbol" and item.value not in symbols:
            symbols.append(item.value)
    reader = _Reader(facts, bands, known, symbols, source)
    silenced = frozenset() if known.is_reply else frozenset(facts.moods & SILENCING)
    read = (whole for whole in facts.clauses if not whole.roles.isdisjoint(_TRIGGERS))
    for clause in (
        part for whole in read if len(whole.items) <= MAX_CLAUSE for part in parts_of(whole)
    ):
        blocked = clause.moods & BLOCKING | silenced
        if blocked and blocked <= {"news", "pre_alert"} and starts_with_order(clause.items):
            # "Close EURUSD now, data in 5 minutes": the news is only the reason.
            blocked = set()
        if clause.asks:
            blocked = blocked | {"question"}
        if blocked:
            found.reasons |= {MOOD_REASONS[mood] for mood in blocked if mood in MOOD_REASONS}
        reader.read(clause, may_act=not blocked, may_report=not blocked & REPORT_BLOCKING)
    found.readings = reader.finish()
    return found


_TRIGGERS: Final = frozenset(
    "stop target break_even close close_loose half part cancel hit hit_stop hit_even trail "
    "closed invalid remove entry tick percent".split()
)


class _Reader(CloseReader):
    """Reads all clauses, one after the other."""

    def read(self, clause: Clause, *, may_act: bool, may_report: bool) -> None:
        self.clause = clause
        self.may_act, self.may_report = may_act, may_report
        self.seq = [item for item in clause.items if item.role in MEANINGFUL]
        at = 0
        handled: set[str] = set()
        while at < len(self.seq):
            item = self.seq[at]
            step = _STEPS.get(item.role)
            at = step(self, at, handled) if step is not None else at + 1

    def finish(self) -> list[FollowUp | Report]:
        self._flush_targets()
        return self.readings

    def remove(self, at: int, handled: set[str]) -> int:
        for item in self.seq[at + 1 :]:
            if item.role in {"pending", "limit", "stop_order"}:
                return self.cancel(at, handled)
            if item.role not in {"symbol", "buy", "sell", "all", "position"}:
                break
        return at + 1

    def hit(self, at: int, _handled: set[str]) -> int:
        item = self.seq[at]
        follow = self._role(at + 1)
        if follow in {"target", "stop", "break_even"}:
            return at + 1
        if self.clause.roles & {"entry", "limit", "pending"}:
            self._report("entry", None, item)
        return at + 1

    def hit_words(self, at: int, _handled: set[str]) -> int:
        item = self.seq[at]
        self._report("sl" if item.role == "hit_stop" else "be", None, item)
        return at + 2 if self._role(at + 1) in {"stop", "break_even"} else at + 1


_STEPS: Final[dict[str, Callable[[_Reader, int, set[str]], int]]] = {
    "stop": _Reader.stop,
    "break_even": _Reader.break_even,
    "trail": _Reader.trail,
    "target": _Reader.target,
    **dict.fromkeys(("close", "close_loose", "half", "part", "closed"), _Reader.close),
    NUM: _Reader.percent,
    "cancel": _Reader.cancel,
    "invalid": _Reader.invalid,
    "remove": _Reader.remove,
    "hit": _Reader.hit,
    "hit_stop": _Reader.hit_words,
    "hit_even": _Reader.hit_words,
    "entry": _Reader.entry,
}

__all__ = ["VERBS", "FollowUps", "read_follow_ups"]
