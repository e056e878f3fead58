from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.judge import Verdict, judge
from signalfleet.domain.signals.model import (
    Ambiguous,
    ChannelMessage,
    Doubt,
    FollowUp,
    Issue,
    NotASignal,
    Parsed,
    ParseResult,
    Reason,
    Signal,
    Span,
)
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.signals.profiles import ChannelProfile

Read = Callable[..., ParseResult]
AT = datetime(2026, 3, 2, tzinfo=UTC)


def signal_of(result: ParseResult) -> Signal:
    assert isinstance(result, Parsed), result
    reading = result.readings[0]
    assert isinstance(reading, Signal)
    return reading


def post(text: str, struck: tuple[Span, ...] = (), media: str = "") -> ChannelMessage:
    return ChannelMessage(
        channel=ChannelId(-1),
        message=MessageId(1),
        text=text,
        posted_at=AT,
        struck=struck,
        media=media,
    )


def test_a_clean_signal_is_sure(read: Read) -> None:
    signal = signal_of(read("XAUUSD BUY 2350\nSL 2340\nTP 2360"))
    assert signal.confidence == 100
    assert signal.issues == ()


def test_unknown_words_and_stray_numbers_cost_confidence(read: Read) -> None:
    words = signal_of(read("XAUUSD BUY frobnicate wibble 2350\nSL 2340\nTP 2360"))
    assert 80 <= words.confidence < 100


def test_a_swapped_symbol_is_understood_and_reported(read: Read) -> None:
    signal = signal_of(read("EURSUD BUY 1.0850\nSL 1.0820\nTP 1.0900"))
    assert signal.symbol == "EURUSD"
    assert Issue.TYPO_SYMBOL in signal.issues
    assert signal.confidence < 100


def test_a_bare_list_of_entries_is_held(read: Read) -> None:
    signal = signal_of(
        read("#BTC/USDT LONG\nEntry Targets:\n1) 62800\n2) 62200\nTP 63500\nSL 60900")
    )
    assert Issue.BARE_ENTRY_LIST in signal.issues
    assert judge(signal) is Verdict.HOLD


def test_a_stop_on_the_wrong_side_is_kept_as_said_and_never_accepted(read: Read) -> None:
    signal = signal_of(read("XAUUSD BUY 2350\nSL 2358\nTP 2360"))
    assert Issue.STOP_WRONG_SIDE in signal.issues
    assert judge(signal) is Verdict.IGNORE


def test_a_channel_of_one_asset_may_leave_its_name_out(parser: Parser) -> None:
    message = post("BUY NOW 2350\nSL 2340\nTP 2360")
    without = parser.parse(message)
    assert isinstance(without, Ambiguous)
    assert without.reasons == (Doubt.NO_SYMBOL,)
    signal = signal_of(parser.parse(message, profile=ChannelProfile(default_symbol="XAUUSD")))
    assert signal.symbol == "XAUUSD"
    assert Issue.DEFAULT_SYMBOL in signal.issues


def test_a_phrase_that_the_channel_ignores_silences_the_message(parser: Parser) -> None:
    profile = ChannelProfile(ignore_phrases=("Practice Account",))
    message = post("practice account: XAUUSD BUY 2350\nSL 2340\nTP 2360")
    result = parser.parse(message, profile=profile)
    assert result == NotASignal(reasons=(Reason.IGNORED_BY_CHANNEL_RULE,))


def test_in_a_forum_only_the_chosen_topics_are_read(parser: Parser) -> None:
    message = replace(post("XAUUSD BUY 2350\nSL 2340\nTP 2360"), topic=7)
    elsewhere = parser.parse(message, profile=ChannelProfile(signal_topics=frozenset({3})))
    assert elsewhere == NotASignal(reasons=(Reason.IGNORED_BY_CHANNEL_RULE,))
    there = parser.parse(message, profile=ChannelProfile(signal_topics=frozenset({7})))
    assert signal_of(there).symbol == "XAUUSD"


def test_struck_text_is_not_read_and_lowers_the_confidence(parser: Parser) -> None:
    text = "XAUUSD BUY 2350\nSL 2340\nTP 2360\nTP 2370"
    struck = (Span(start=text.index("TP 2370"), end=len(text)),)
    signal = signal_of(parser.parse(post(text, struck)))
    assert [str(target) for target in signal.targets] == ["2360"]
    assert signal.confidence == 90


def test_a_picture_without_words_is_shown_and_never_guessed(parser: Parser) -> None:
    assert parser.parse(post("", media="photo")) == NotASignal(reasons=(Reason.MEDIA_ONLY,))
    assert parser.parse(post(" \n ")) == NotASignal(reasons=(Reason.EMPTY,))


def test_a_reply_that_names_another_symbol_is_not_carried_out(read: Read) -> None:
    result = read("Close EURUSD", reply_to="XAUUSD BUY 2350\nSL 2340\nTP 2360")
    assert isinstance(result, Ambiguous)
    assert result.reasons == (Doubt.SYMBOL_CONFLICT,)


def test_an_unstated_part_is_read_and_said_to_be_unstated(read: Read) -> None:
    result = read("Take some partials here")
    assert isinstance(result, Parsed)
    reading = result.readings[0]
    assert isinstance(reading, FollowUp)
    assert reading.issues == (Issue.FRACTION_UNSTATED,)


def test_an_edit_that_changes_no_meaning_does_nothing(read: Read) -> None:
    text = "XAUUSD BUY 2350\nSL 2340\nTP 2360"
    result = read(text + "\nGood luck everyone!", edit_of=text)
    assert result == NotASignal(reasons=(Reason.COSMETIC_EDIT,))


def test_an_edit_that_completes_a_pre_alert_opens(read: Read) -> None:
    result = read("XAUUSD BUY 2350\nSL 2340\nTP 2360", edit_of="Get ready for a gold signal")
    assert signal_of(result).symbol == "XAUUSD"
