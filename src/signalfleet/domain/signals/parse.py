"""One message in, one result out: the parser that the rest of the product calls."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.instruments.symbols import Symbols
from signalfleet.domain.money import Price
from signalfleet.domain.signals.edits import changes, turned
from signalfleet.domain.signals.expiry import NO_PHRASES, Phrases, stated_expiry
from signalfleet.domain.signals.facts import Facts
from signalfleet.domain.signals.finder import FactFinder
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
from signalfleet.domain.signals.numbers import Band
from signalfleet.domain.signals.opens import MOOD_REASONS, Known, Opens, read_opens
from signalfleet.domain.signals.profiles import NO_PROFILE, ChannelProfile
from signalfleet.domain.signals.replies import as_reply
from signalfleet.domain.signals.rules import (
    Rule,
    Surroundings,
    follow_up_by_rule,
    ignores,
    opens_by_rule,
)
from signalfleet.domain.signals.text import fold, offsets

PARSER_VERSION: Final = 2
STRUCK_COST: Final = 10
MAX_ADAPTED: Final = 256
EMPTY: Final = Context()
LEVEL_ACTIONS: Final = (MoveStop, SetTargets, MoveTarget, MoveEntry)


class Parser:
    """Reads messages with one lexicon and one set of symbols.

    Nothing of a message is kept; only the word trees of channels with words of their own are.
    """

    def __init__(self, lexicon: Lexicon, symbols: Symbols, expiry: Phrases = NO_PHRASES) -> None:
        self._finder = FactFinder(lexicon, symbols, expiry.leads)
        self._expiry = expiry
        self._bands = {name: facts.band for name, facts in symbols.facts.items()}
        self._adapted: dict[tuple[object, ...], FactFinder] = {}
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
        if profile.signal_topics and message.topic not in profile.signal_topics:
            return NotASignal(reasons=(Reason.IGNORED_BY_CHANNEL_RULE,))
        if (profile.ignore_phrases or profile.rules) and _is_ignored(fold(source), profile):
            return NotASignal(reasons=(Reason.IGNORED_BY_CHANNEL_RULE,))
        finder = self._finder_for(profile)
        facts = finder.seen(source)
        reader = _Reader(finder, self._bands, profile.rules)
        result = reader.result(source, facts, context, profile)
        result = self._with_expiry(result, source, facts, message)
        return _less_sure(result) if message.struck else result

    def _with_expiry(
        self, result: ParseResult, source: str, facts: Facts, message: ChannelMessage
    ) -> ParseResult:
        """Give the openings the end that the text states for them."""
        if not facts.has_end or not isinstance(result, Parsed):
            return result
        if not any(isinstance(reading, Signal) for reading in result.readings):
            return result
        stated = stated_expiry(source, message.posted_at, self._expiry)
        if stated is None:
            return result
        end, span = stated
        readings = tuple(
            replace(reading, expires_at=end, spans=(*reading.spans, span))
            if isinstance(reading, Signal)
            else reading
            for reading in result.readings
        )
        return Parsed(readings=readings)

    def facts(self, text: str, profile: ChannelProfile = NO_PROFILE) -> Facts:
        """Give the facts of a text, for the layout watch."""
        return self._finder_for(profile).seen(text)

    def _finder_for(self, profile: ChannelProfile) -> FactFinder:
        if not profile.extra_words and not profile.number_style:
            return self._finder
        key = (profile.number_style, *sorted(profile.extra_words.items()))
        finder = self._adapted.get(key)
        if finder is None:
            finder = self._finder.adapted(profile.extra_words, profile.number_style)
            if len(self._adapted) >= MAX_ADAPTED:
                self._adapted.clear()
            self._adapted[key] = finder
        return finder


class _Reader:
    """Reads one message with the words and rules of its channel."""

    __slots__ = ("_bands", "_finder", "_rules")

    def __init__(
        self, finder: FactFinder, bands: dict[str, Band | None], rules: tuple[Rule, ...]
    ) -> None:
        self._finder = finder
        self._bands = bands
        self._rules = rules

    def result(
        self, source: str, facts: Facts, context: Context, profile: ChannelProfile
    ) -> ParseResult:
        known, parents = self._known(context.replied, profile)
        if context.before_edit is not None:
            return self._edited(source, facts, context.before_edit, known)
        return self._read(source, facts, known, parents, context.replied)

    def _known(
        self, replied: ChannelMessage | None, profile: ChannelProfile
    ) -> tuple[Known, tuple[Signal, ...]]:
        if replied is None:
            return Known(symbol=profile.default_symbol), ()
        source = without_struck(replied)
        facts = self._finder.seen(source)
        opens = self._opens(source, facts, Known(symbol=profile.default_symbol))
        signals = tuple(opens.signals)
        if signals:
            return known_from(signals[0]), signals
        symbol = next((item.value for item in facts.items if item.role == "symbol"), None)
        side = next((Side(item.role) for item in facts.items if item.role in {"buy", "sell"}), None)
        return Known(symbol=symbol or profile.default_symbol, side=side, is_reply=True), ()

    def _opens(self, source: str, facts: Facts, known: Known) -> Opens:
        if self._rules:
            around = Surroundings(finder=self._finder, bands=self._bands, known=known)
            by_rule = opens_by_rule(self._rules, facts, around, offsets(source))
            if by_rule is not None:
                return by_rule
        return read_opens(facts, self._bands, known, source)

    def _follow_ups(self, facts: Facts, known: Known, source: str) -> FollowUps:
        if self._rules:
            around = Surroundings(finder=self._finder, bands=self._bands, known=known)
            by_rule = follow_up_by_rule(self._rules, facts, around, offsets(source))
            if by_rule is not None:
                found = FollowUps()
                found.readings.append(by_rule)
                return found
        return read_follow_ups(facts, self._bands, known, source)

    def _read(
        self,
        source: str,
        facts: Facts,
        known: Known,
        parents: tuple[Signal, ...],
        replied: ChannelMessage | None,
    ) -> ParseResult:
        opens = self._opens(source, facts, known)
        if opens.signals:
            if replied is not None:
                ref = SignalRef(channel=replied.channel, message=replied.message)
                return as_reply(tuple(opens.signals), parents, ref)
            return Parsed(readings=tuple(opens.signals))
        follow_ups = self._follow_ups(facts, known, source)
        if opens.veto or (
            facts.roles & {"buy", "sell"} and not known.is_reply and not facts.roles & VERBS
        ):
            # The levels of an opening that is none are no instruction about another trade.
            follow_ups.readings = [
                reading
                for reading in follow_ups.readings
                if isinstance(reading, Report) or not isinstance(reading.action, LEVEL_ACTIONS)
            ]
        return self._not_open(facts, opens, follow_ups, known)

    def _not_open(
        self, facts: Facts, opens: Opens, follow_ups: FollowUps, known: Known
    ) -> ParseResult:
        stops = {known.stop} if known.stop is not None else set()
        targets = {price for price in known.targets if price is not None}
        readings = [one for one in follow_ups.readings if not _restates(one, stops, targets)]
        if follow_ups.readings and not readings:
            return NotASignal(reasons=(Reason.REPEAT_OF_REPLIED,))
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
        if not reasons - {Reason.NO_INSTRUCTION}:
            reasons = {MOOD_REASONS[mood] for mood in facts.moods}
        return NotASignal(reasons=tuple(sorted(reasons)) or (Reason.NO_INSTRUCTION,))

    def _edited(
        self, source: str, facts: Facts, before: ChannelMessage, known: Known
    ) -> ParseResult:
        earlier = without_struck(before)
        old_facts = self._finder.seen(earlier)
        opens = self._opens(source, facts, known)
        old_opens = self._opens(earlier, old_facts, known)
        if opens.signals and not old_opens.signals:
            return Parsed(readings=tuple(opens.signals))
        if opens.signals:
            doubt = turned(tuple(old_opens.signals), tuple(opens.signals))
            if doubt is not None:
                return Ambiguous(reasons=(doubt,), candidates=tuple(opens.signals))
            moved = changes(tuple(old_opens.signals), tuple(opens.signals))
            added = self._added(earlier, source, known_from(old_opens.signals[0]))
            readings = (*moved, *(reading for reading in added if reading not in moved))
            if readings:
                return Parsed(readings=readings)
            return NotASignal(reasons=(Reason.COSMETIC_EDIT,))
        if old_opens.signals:
            known = known_from(old_opens.signals[0])
        now = self._follow_ups(facts, known, source)
        was = self._follow_ups(old_facts, known, earlier)
        old = [_meaning(reading) for reading in was.readings]
        stops = {one.stop for one in old_opens.signals if one.stop is not None}
        targets = {price for one in old_opens.signals for price in one.targets if price is not None}
        fresh = tuple(
            reading
            for reading in now.readings
            if _meaning(reading) not in old and not _restates(reading, stops, targets)
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


def _is_ignored(folded: str, profile: ChannelProfile) -> bool:
    if any(fold(phrase) in folded for phrase in profile.ignore_phrases if phrase):
        return True
    return ignores(profile.rules, folded)


def _less_sure(result: ParseResult) -> ParseResult:
    """Lower the confidence: what was struck through may have been meant in part."""
    if not isinstance(result, Parsed):
        return result
    readings = tuple(
        reading
        if isinstance(reading, Report)
        else replace(reading, confidence=max(0, reading.confidence - STRUCK_COST))
        for reading in result.readings
    )
    return Parsed(readings=readings)


def _restates(reading: Reading, stops: set[Price], targets: set[Price]) -> bool:
    """Tell whether an instruction only names levels that the signal has already."""
    if not isinstance(reading, FollowUp):
        return False
    match reading.action:
        case MoveStop(to=Price() as price):
            return price in stops
        case MoveTarget(price=Price() as price):
            return price in targets
        case SetTargets(prices=prices):
            return all(price in targets for price in prices)
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
        stop=signal.stop,
    )


def without_struck(message: ChannelMessage) -> str:
    """Blank out struck-through parts, so that offsets stay those of the original."""
    source = message.text
    for span in message.struck:
        start, end = max(0, span.start), min(len(source), span.end)
        if start < end:
            source = source[:start] + " " * (end - start) + source[end:]
    return source
