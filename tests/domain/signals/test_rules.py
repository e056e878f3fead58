"""A user's own rules: what a match means, and which rules are not saved."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.signal_rules import message, rule
from signalfleet.bootstrap.language import load_inert
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import (
    Ambiguous,
    BreakEven,
    CancelPending,
    Close,
    ClosePart,
    Context,
    Doubt,
    FollowUp,
    Issue,
    MoveStop,
    NotASignal,
    OrderKind,
    Parsed,
    ParseResult,
    Reason,
    SetTargets,
    Signal,
)
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.signals.profiles import ChannelProfile
from signalfleet.domain.signals.rule_checks import Example, Objection, refusals
from signalfleet.domain.signals.rules import Rule, RuleAction

ZAP = rule(
    "zap",
    r"zap (?P<side>\w+) (?P<symbol>\w+) e(?P<entry>[\d.-]+) x(?P<sl>[\d.]+) o(?P<tp>[\d./]+)",
)


def read(
    parser: Parser, text: str, *rules: Rule, reply_to: str = "", edit_of: str = ""
) -> ParseResult:
    context = Context(
        replied=message(reply_to, 1) if reply_to else None,
        before_edit=message(edit_of) if edit_of else None,
    )
    return parser.parse(message(text), context, ChannelProfile(rules=rules))


def only(result: ParseResult) -> Signal | FollowUp:
    assert isinstance(result, Parsed), result
    (reading,) = result.readings
    assert isinstance(reading, Signal | FollowUp)
    return reading


def test_a_rule_reads_what_the_grammar_cannot(parser: Parser) -> None:
    text = "ZAP Long GOLD e2345-2350 x2338 o2360/2370"
    signal = only(read(parser, text, ZAP))
    assert isinstance(signal, Signal)
    assert (signal.symbol, signal.side) == ("XAUUSD", Side.BUY)
    assert signal.entry is not None
    assert (str(signal.entry.low), str(signal.entry.high)) == ("2345", "2350")
    assert signal.stop == Price.of(2338)
    assert signal.targets == (Price.of(2360), Price.of(2370))
    pieces = {span.field: text[span.start : span.end] for span in signal.spans}
    assert pieces["side"] == "Long"
    assert pieces["symbol"] == "GOLD"
    assert pieces["stop"] == "2338"


def test_the_levels_of_a_rule_pass_the_same_geometry(parser: Parser) -> None:
    signal = only(read(parser, "zap sell gold e2345 x2338 o2360", ZAP))
    assert isinstance(signal, Signal)
    assert {Issue.STOP_WRONG_SIDE, Issue.TARGET_WRONG_SIDE} <= set(signal.issues)
    assert signal.confidence <= 45


def test_words_that_take_an_order_back_leave_the_rule_to_a_person(parser: Parser) -> None:
    signal = only(read(parser, "Do not zap buy gold e2345 x2338 o2360", ZAP))
    assert signal.confidence <= 60


def test_side_and_symbol_may_be_fixed_by_the_rule(parser: Parser) -> None:
    bull = rule("bull", r"moo (?P<sl>\d+)", side=Side.BUY, symbol="XAUUSD")
    signal = only(read(parser, "MOO 2338", bull))
    assert isinstance(signal, Signal)
    assert (signal.symbol, signal.side, signal.order) == ("XAUUSD", Side.BUY, OrderKind.MARKET)


def test_a_rule_without_a_symbol_is_held_or_takes_the_channels(parser: Parser) -> None:
    bull = rule("bull", r"moo (?P<sl>\d+)", side=Side.BUY)
    held = read(parser, "moo 2338", bull)
    assert isinstance(held, Ambiguous)
    assert held.reasons == (Doubt.NO_SYMBOL,)
    profile = ChannelProfile(rules=(bull,), default_symbol="XAUUSD")
    signal = only(parser.parse(message("moo 2338"), profile=profile))
    assert isinstance(signal, Signal)
    assert signal.symbol == "XAUUSD"
    assert Issue.DEFAULT_SYMBOL in signal.issues


def test_a_rule_that_says_ignore_wins_over_the_grammar(parser: Parser) -> None:
    demo = rule("demo", "demo account", action=RuleAction.IGNORE)
    text = "Demo account: BUY GOLD 2345 SL 2338 TP 2360"
    result = read(parser, text, demo)
    assert result == NotASignal(reasons=(Reason.IGNORED_BY_CHANNEL_RULE,))


@pytest.mark.parametrize(
    ("action", "pattern", "text", "wanted"),
    [
        (RuleAction.BREAK_EVEN, "zero line", "zero line!", BreakEven()),
        (RuleAction.MOVE_STOP, r"guard (?P<sl>\S+)", "guard 2340", MoveStop(to=Price.of(2340))),
        (
            RuleAction.SET_TARGETS,
            r"goals (?P<tp>.+)",
            "goals 2360 2370",
            SetTargets(prices=(Price.of(2360), Price.of(2370))),
        ),
        (RuleAction.CLOSE, "bye", "bye bye", Close()),
        (RuleAction.CANCEL, "forget it", "Forget it", CancelPending()),
        (
            RuleAction.CLOSE_PART,
            r"bank (?P<percent>\d+)",
            "bank 30",
            ClosePart(fraction=Decimal("0.3")),
        ),
        (RuleAction.CLOSE_PART, r"bank (?P<percent>\d+)", "bank 100", Close()),
    ],
)
def test_follow_up_rules_act_on_the_signal_they_answer(
    parser: Parser, action: RuleAction, pattern: str, text: str, wanted: object
) -> None:
    parent = "XAUUSD BUY 2345 SL 2338 TP 2360 TP 2380"
    reading = only(read(parser, text, rule("own", pattern, action=action), reply_to=parent))
    assert isinstance(reading, FollowUp)
    assert reading.action == wanted
    assert reading.target.symbol == "XAUUSD"


def test_an_edit_of_a_ruled_message_is_a_change_never_a_second_opening(parser: Parser) -> None:
    before = "zap buy gold e2345 x2338 o2360"
    reading = only(read(parser, before.replace("2338", "2340"), ZAP, edit_of=before))
    assert isinstance(reading, FollowUp)
    assert reading.action == MoveStop(to=Price.of(2340))


def test_a_good_profile_is_saved(parser: Parser) -> None:
    profile = ChannelProfile(rules=(ZAP,), extra_words={"buy": ("zapzap",)})
    text = "XAUUSD BUY 2345 SL 2338 TP 2360"
    example = Example(message=message(text), reading=parser.parse(message(text)))
    assert refusals(profile, parser=parser, inert=load_inert(), examples=[example]) == ()


def test_the_shipped_inert_set_opens_nothing_by_itself(parser: Parser) -> None:
    assert refusals(ChannelProfile(), parser=parser, inert=load_inert()) == ()
    assert len(load_inert()) >= 50


def test_a_rule_that_opens_on_chatter_is_not_saved(parser: Parser) -> None:
    greedy = rule("greedy", r".", side=Side.BUY, symbol="XAUUSD")
    found = refusals(ChannelProfile(rules=(greedy,)), parser=parser, inert=load_inert())
    assert {one.objection for one in found} == {Objection.OPENS_ON_CHATTER}


def test_a_rule_that_changes_a_confirmed_reading_is_not_saved(parser: Parser) -> None:
    text = "XAUUSD BUY 2345 SL 2338 TP 2360"
    example = Example(message=message(text), reading=parser.parse(message(text)))
    quiet = rule("quiet", "xauusd buy 2345", action=RuleAction.IGNORE)
    found = refusals(ChannelProfile(rules=(quiet,)), parser=parser, inert=(), examples=[example])
    assert [one.objection for one in found] == [Objection.CHANGES_EXAMPLE]
    assert found[0].about == text


@pytest.mark.parametrize(
    ("profile", "objection"),
    [
        (ChannelProfile(rules=(ZAP,) * 51), Objection.TOO_MANY_RULES),
        (
            ChannelProfile(rules=(rule("a", r"(?P<loss>\d+)", side=Side.BUY),)),
            Objection.UNKNOWN_GROUP,
        ),
        (ChannelProfile(rules=(rule("a", "go"),)), Objection.MISSING_GROUP),
        (
            ChannelProfile(rules=(rule("a", "go", action=RuleAction.MOVE_STOP),)),
            Objection.MISSING_GROUP,
        ),
        (ChannelProfile(extra_words={"nonsense": ("go",)}), Objection.WRONG_WORDS),
        (ChannelProfile(extra_words={"buy": ("!",)}), Objection.WRONG_WORDS),
        (ChannelProfile(number_style="roman"), Objection.WRONG_WORDS),
    ],
)
def test_a_profile_that_cannot_work_is_not_saved(
    parser: Parser, profile: ChannelProfile, objection: Objection
) -> None:
    found = refusals(profile, parser=parser, inert=load_inert())
    assert [one.objection for one in found] == [objection]


def test_rules_that_do_not_match_leave_the_grammar_to_read(parser: Parser) -> None:
    rules = [rule(f"r{number}", rf"word{number} (?P<sl>\d+)", side=Side.BUY) for number in range(9)]
    text = "BUY GOLD 2345 SL 2338 TP 2360"
    assert read(parser, text, *rules) == parser.parse(message(text))


GREEDY = [
    rule("all", r"(?P<side>\S+) (?P<symbol>\S+) (?P<entry>\S*) ?(?P<sl>\S*) ?(?P<tp>(?s:.*))"),
    rule("order", r"(?P<order>\S*) ?(?P<tp3>\S*) ?(?P<tp1>\S*)", side=Side.SELL),
    rule("share", r"(?P<percent>\S*)%", action=RuleAction.CLOSE_PART),
    rule("stop", r"(?P<sl>(?s:.*))", action=RuleAction.MOVE_STOP),
    rule("nothing", r"(?P<tp>)", action=RuleAction.SET_TARGETS),
    rule("even", r"$", action=RuleAction.BREAK_EVEN),
]
PIECES = (
    "buy sell gold eurusd btcusd now limit stop 2350 2340/45 1,0850 0 00 30 100% 7% open é 金 "
    "\n 🔥 \ud800 1. don't"
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(PIECES.split(" ")) | st.text(max_size=8), max_size=14),
    st.lists(st.sampled_from(PIECES.split(" ")), max_size=8),
    st.permutations(GREEDY),
    st.sampled_from(["", "dot", "comma"]),
)
def test_any_text_gives_a_result_by_any_rules(
    parser: Parser, words: list[str], parent: list[str], rules: list[Rule], style: str
) -> None:
    profile = ChannelProfile(rules=tuple(rules), number_style=style, extra_words={"target": ("é",)})
    text, other = message(" ".join(words)), message(" ".join(parent), 1)
    for context in (Context(), Context(replied=other), Context(before_edit=other)):
        assert parser.parse(text, context, profile) is not None
