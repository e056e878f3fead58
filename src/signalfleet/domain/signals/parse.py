"""One message in, one result out: the parser that the rest of the product calls."""

from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.instruments.symbols import Symbols
from signalfleet.domain.money import Price
from signalfleet.domain.signals.edits import changes
from signalfleet.domain.signals.facts import Facts, FactFinder
from signalfleet.domain.signals.followups import VERBS, FollowUps, read_follow_ups
from signalfleet.domain.signals.lexicon import Lexicon
from signalfleet.domain.signals.model import (
    Ambiguous,
    ChannelMessage,
    Context,
    Doubt,
    FollowUp,
    MoveEntry,
    MoveStop,
    MoveTarget,
    NotASignal,
    Parsed,
    ParseResult,
    Reading,
    Reason,
    Report,
    SetTargets,
    Signal,
    SignalRef,
)
from signalfleet.domain.signals.opens import Known, Opens, read_opens
from signalfleet.domain.signals.profiles import NO_PROFILE, ChannelProfile
from signalfleet.domain.signals.replies import as_reply
from signalfleet.domain.signals.text import fold

PARSER_VERSION: Final = 1
EMPTY: Final = Context()
LEVEL_ACTIONS: Final = (MoveStop, SetTargets, MoveTarget, MoveEntry)


class Parser:
    """Reads messages with one lexicon and one set of symbols; keeps nothing between messages."""

    def __init__(self, lexicon: Lexicon, symbols: Symbols) -> None:
        self._finder = FactFinder(lexicon, symbols)
        self._symbols = symbols
        self._bands = {name: facts.band for name, facts in symbols.facts.items()}
        self.version = f"{PARSER_VERSION}+{lexicon.version}"

    def parse(
        self,
        message: ChannelMessage,
        context: Context = EMPTY,
        profile: ChannelProfile = NO_PROFILE,
    ) -> ParseResult:
        """Read a message in its context; any text gives a result."""
        source = without_struck(message)
        if not source.strip():
            reason = Reason.MEDIA_ONLY if message.has_media or message.media else Reason.EMPTY
            return NotASignal(reasons=(reason,))
        if profile.ignore_phrases:
            folded = fold(source)
            if any(fold(phrase) in folded for phrase in profile.ignore_phrases if phrase):
                return NotASignal(reasons=(Reason.IGNORED_BY_CHANNEL_RULE,))
        known, parents = self._known(context.replied, profile)
        if context.before_edit is not None:
            return self._edited(source, context.before_edit, known, parents)
        return self._read(source, known, parents, context.replied)

    def _known(
        self, replied: ChannelMessage | None, profile: ChannelProfile
    ) -> tuple[Known, tuple[Signal, ...]]:
        if replied is None:
            return Known(symbol=profile.default_symbol), ()
        source = without_struck(replied)
        facts = self._finder.find(source)
        opens = read_opens(facts, self._bands, Known(symbol=profile.default_symbol), source)
        signals = tuple(opens.signals)
        if signals:
            return known_from(signals[0]), signals
        symbol = next((item.value for item in facts.items if item.role == "symbol"), None)
        side = next((Side(item.role) for item in facts.items if item.role in {"buy", "sell"}), None)
        return Known(symbol=symbol or profile.default_symbol, side=side, is_reply=True), ()

    def _facts_of(self, source: str, known: Known) -> tuple[Facts, Opens]:
        facts = self._finder.find(source)
        return facts, read_opens(facts, self._bands, known, source)

    def _read(
        self,
        source: str,
        known: Known,
        parents: tuple[Signal, ...],
        replied: ChannelMessage | None,
    ) -> ParseResult:
        facts, opens = self._facts_of(source, known)
        if opens.signals:
            if replied is not None:
                ref = SignalRef(channel=replied.channel, message=replied.message)
                return as_reply(tuple(opens.signals), parents, ref)
            return Parsed(readings=tuple(opens.signals))
        follow_ups = read_follow_ups(facts, self._bands, known, source)
        if opens.veto or (
            facts.roles & {"buy", "sell"} and not known.is_reply and not facts.roles & VERBS
        ):
            # The levels of an opening that is none are no instruction about another trade.
            follow_ups.readings = [
                reading
                for reading in follow_ups.readings
                if isinstance(reading, Report) or not isinstance(reading.action, LEVEL_ACTIONS)
            ]
        return self._not_open(opens, follow_ups, known)

    def _not_open(self, opens: Opens, follow_ups: FollowUps, known: Known) -> ParseResult:
        readings = follow_ups.readings
        if readings:
            if follow_ups.has_action and opens.doubts & {Doubt.TWO_SIDES, Doubt.TWO_SYMBOLS}:
                return Ambiguous(reasons=tuple(sorted(opens.doubts)), candidates=tuple(readings))
            if known.is_reply and known.symbol is not None:
                for reading in readings:
                    named = reading.target.symbol if isinstance(reading, FollowUp) else None
                    if named is not None and named != known.symbol:
                        return Ambiguous(
                            reasons=(Doubt.SYMBOL_CONFLICT,), candidates=tuple(readings)
                        )
            return Parsed(readings=tuple(readings))
        if opens.doubts:
            return Ambiguous(reasons=tuple(sorted(opens.doubts)))
        reasons = opens.reasons | follow_ups.reasons
        return NotASignal(reasons=tuple(sorted(reasons)) or (Reason.NO_INSTRUCTION,))

    def _edited(
        self, source: str, before: ChannelMessage, known: Known, parents: tuple[Signal, ...]
    ) -> ParseResult:
        earlier = without_struck(before)
        facts, opens = self._facts_of(source, known)
        old_facts, old_opens = self._facts_of(earlier, known)
        if opens.signals and not old_opens.signals:
            return Parsed(readings=tuple(opens.signals))
        if opens.signals:
            moved = changes(tuple(old_opens.signals), tuple(opens.signals))
            added = self._added(earlier, source, known_from(old_opens.signals[0]))
            readings = (*moved, *(reading for reading in added if reading not in moved))
            if readings:
                return Parsed(readings=readings)
            return NotASignal(reasons=(Reason.COSMETIC_EDIT,))
        if old_opens.signals:
            known = known_from(old_opens.signals[0])
        now = read_follow_ups(facts, self._bands, known, source)
        was = read_follow_ups(old_facts, self._bands, known, earlier)
        old = [_meaning(reading) for reading in was.readings]
        stated = {
            price
            for signal in old_opens.signals
            for price in (signal.stop, *signal.targets)
            if price is not None
        }
        fresh = tuple(
            reading
            for reading in now.readings
            if _meaning(reading) not in old and not _restates(reading, stated)
        )
        if fresh:
            return Parsed(readings=fresh)
        if opens.doubts and opens.doubts != old_opens.doubts:
            return Ambiguous(reasons=tuple(sorted(opens.doubts)))
        return NotASignal(reasons=(Reason.COSMETIC_EDIT,))

    def _added(self, earlier: str, source: str, known: Known) -> tuple[FollowUp, ...]:
        """Read the follow-ups in the lines that an edit added."""
        lines = set(earlier.splitlines())
        added = "\n".join(line for line in source.splitlines() if line not in lines)
        if not added.strip():
            return ()
        facts = self._finder.find(added)
        found = read_follow_ups(facts, self._bands, known, added)
        wanted = {"BreakEven", "Close", "ClosePart", "CancelPending"}
        return tuple(
            reading
            for reading in found.readings
            if isinstance(reading, FollowUp) and type(reading.action).__name__ in wanted
        )


def _restates(reading: Reading, stated: set[Price]) -> bool:
    """Tell whether an instruction only names levels that the earlier version had already."""
    if not isinstance(reading, FollowUp):
        return False
    match reading.action:
        case MoveStop(to=Price() as price) | MoveTarget(price=Price() as price):
            return price in stated
        case SetTargets(prices=prices):
            return all(price in stated for price in prices)
        case _:
            return False


def _meaning(reading: object) -> object:
    return (getattr(reading, "action", reading), getattr(reading, "target", None))


def known_from(signal: Signal) -> Known:
    """Give what a reply may take from its parent."""
    prices: list[Price | None] = [signal.stop, *signal.targets]
    if signal.entry is not None:
        prices.insert(0, signal.entry.low)
    anchors: tuple[Decimal, ...] = tuple(price.value for price in prices if price is not None)
    return Known(
        symbol=signal.symbol,
        side=signal.side,
        anchors=anchors,
        is_reply=True,
        targets=signal.targets,
    )


def without_struck(message: ChannelMessage) -> str:
    """Blank out struck-through parts, so that offsets stay those of the original."""
    source = message.text
    for span in message.struck:
        start, end = max(0, span.start), min(len(source), span.end)
        if start < end:
            source = source[:start] + " " * (end - start) + source[end:]
    return source
