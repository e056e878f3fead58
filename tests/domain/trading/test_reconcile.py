"""What looks at the account prove: presence at once, absence late and twice, doubt never."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import (
    a_look,
    a_trade,
    after,
    an_entry,
    an_intent,
    deal_of,
    ended_order_of,
    order_of,
    position_of,
    unnamed,
)
from signalfleet.domain.ids import IntentId
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    Intent,
    IntentState,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.reconcile import Findings, LookInput, reconcile
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import Snapshot
from signalfleet.domain.trading.settle import SettleRules

RULES = SettleRules()
OPENING = a_trade(1, TradeState.OPENING)
UNKNOWN = an_entry(OPENING, IntentState.UNKNOWN)


def look(
    snapshot: Snapshot,
    trades: list[Trade],
    intents: list[Intent],
    seen: dict[IntentId, datetime] | None = None,
    *,
    in_flight: bool = False,
    taken: frozenset[str] = frozenset(),
) -> Findings:
    return reconcile(
        LookInput(
            trades=trades,
            intents=intents,
            snapshot=snapshot,
            now=snapshot.begun_at,
            rules=RULES,
            first_absent=seen or {},
            entries_in_flight=in_flight,
            taken=taken,
        )
    )


def series(intent: Intent, trade: Trade, *snapshots: Snapshot) -> Intent:
    """Look again and again, as the bot does; return the intent at the end."""
    seen: dict[IntentId, datetime] = {}
    for snapshot in snapshots:
        findings = look(snapshot, [trade], [intent], seen)
        seen = dict(findings.first_absent)
        intent = next(iter(findings.intents), intent)
    return intent


class TestPresence:
    @pytest.mark.parametrize(
        ("snapshot", "evidence"),
        [
            (a_look(position_of(OPENING), at=0.5, full=False), "seen in positions"),
            (a_look(position_of(OPENING), at=0.5, complete=False), "seen in positions"),
            (a_look(order_of(OPENING), at=0.5, full=False), "seen in orders"),
            (a_look(deal_of(OPENING, is_exit=False), at=0.5), "seen in deals"),
            (a_look(ended_order_of(OPENING, "filled"), at=0.5), "seen in history"),
        ],
    )
    def test_settles_at_once(self, snapshot: Snapshot, evidence: str) -> None:
        (settled,) = look(snapshot, [OPENING], [UNKNOWN]).intents
        assert settled.state is IntentState.ACCEPTED
        assert settled.evidence == evidence

    def test_is_told_by_the_first_two_parts_of_the_client_id(self) -> None:
        stem, _, _ = OPENING.client_id.rpartition("_")
        found = position_of(OPENING, client_id=f"{stem}_sl")
        assert look(a_look(found), [OPENING], [UNKNOWN]).intents

    def test_of_another_trade_proves_nothing(self) -> None:
        foreign = position_of(a_trade(2), client_id="S165_AAAAAAAAAAAAAAAA_E0")
        findings = look(a_look(foreign, at=0.5), [OPENING], [UNKNOWN])
        assert findings.intents == ()
        assert findings.trades == ()

    def test_as_a_rejected_order_in_the_history_is_a_no(self) -> None:
        findings = look(a_look(ended_order_of(OPENING, "rejected")), [OPENING], [UNKNOWN])
        assert [i.state for i in findings.intents] == [IntentState.REJECTED]
        assert [t.state for t in findings.trades] == [TradeState.NEVER_OPENED]

    def test_of_a_held_entry_contradicts_the_no_that_was_told(self) -> None:
        held = replace(UNKNOWN, state=IntentState.HELD)
        findings = look(a_look(position_of(OPENING)), [OPENING], [held])
        assert [i.state for i in findings.intents] == [IntentState.ACCEPTED]
        assert findings.alarms == ("found_after_a_no",)


class TestAbsence:
    def test_takes_the_window_and_two_complete_looks_apart(self) -> None:
        late = replace(UNKNOWN, valid_until=after(300))
        looks = [a_look(at=at) for at in (0.5, 60, 99.9, 100)]
        assert series(late, OPENING, *looks).state is IntentState.UNKNOWN
        assert series(late, OPENING, *looks, a_look(at=104.9)).state is IntentState.UNKNOWN
        assert series(late, OPENING, *looks, a_look(at=105)).state is IntentState.HELD

    def test_of_a_stale_entry_ends_it_and_its_trade(self) -> None:
        settled = series(UNKNOWN, OPENING, a_look(at=100), a_look(at=106))
        assert (settled.state, settled.reason) == (IntentState.EXPIRED, "absent_after_doubt")

    @pytest.mark.parametrize("kind", [{"complete": False}, {"full": False}])
    def test_is_not_proved_by_looks_that_saw_only_a_part(self, kind: dict[str, bool]) -> None:
        looks = [a_look(at=at, **kind) for at in (100, 110, 120, 130)]
        assert series(UNKNOWN, OPENING, *looks).state is IntentState.UNKNOWN

    def test_is_not_forgotten_over_a_look_that_saw_only_a_part(self) -> None:
        looks = [a_look(at=100), a_look(at=103, complete=False), a_look(at=106)]
        assert series(UNKNOWN, OPENING, *looks).state is IntentState.EXPIRED

    def test_is_counted_anew_after_a_second_sending(self) -> None:
        again = replace(UNKNOWN, attempt=2, sending_at=after(200), valid_until=after(900))
        seen = {again.intent_id: after(100)}
        findings = look(a_look(at=301), [OPENING], [again], seen)
        assert findings.intents == ()
        assert findings.first_absent == {again.intent_id: after(301)}

    @given(st.lists(st.floats(0, 99.9), max_size=8))
    def test_is_never_proved_inside_the_window(self, moments: list[float]) -> None:
        looks = [a_look(at=at) for at in sorted(moments)]
        assert series(UNKNOWN, OPENING, *looks).state is IntentState.UNKNOWN

    @given(
        st.lists(
            st.tuples(st.floats(0, 300), st.booleans(), st.booleans()), min_size=1, max_size=12
        )
    )
    def test_is_proved_exactly_by_two_full_complete_looks_late_enough(
        self, looks: list[tuple[float, bool, bool]]
    ) -> None:
        ordered = sorted(looks)
        valid = [at for at, full, complete in ordered if full and complete and at >= 100]
        proved = bool(valid) and valid[-1] >= valid[0] + 5 - 1e-6
        marginal = bool(valid) and abs(valid[-1] - valid[0] - 5) < 1e-3
        shots = [a_look(at=at, full=full, complete=whole) for at, full, whole in ordered]
        settled = series(UNKNOWN, OPENING, *shots)
        if not marginal:
            assert (settled.state is IntentState.EXPIRED) is proved


class TestLostClientIds:
    def test_one_position_that_can_only_be_ours_is_taken(self) -> None:
        nameless = unnamed(position_of(OPENING))
        findings = look(a_look(nameless, at=0.5), [OPENING], [UNKNOWN])
        assert [i.state for i in findings.intents] == [IntentState.ACCEPTED]
        assert findings.trades[0].position_id == nameless.position_id

    def test_a_rewritten_comment_counts_as_lost(self) -> None:
        findings = look(a_look(unnamed(position_of(OPENING), "from #12")), [OPENING], [UNKNOWN])
        assert findings.intents

    def test_a_pending_order_without_name_is_taken_too(self) -> None:
        pending = an_entry(OPENING, IntentState.UNKNOWN, price="2345")
        order = order_of(OPENING, client_id=None)
        findings = look(a_look(order, at=0.5), [OPENING], [pending])
        assert [t.state for t in findings.trades] == [TradeState.PENDING]

    def test_a_position_that_came_and_went_is_found_by_its_deals(self) -> None:
        deals = [
            deal_of(OPENING, is_exit=False, client_id=None),
            deal_of(OPENING, is_exit=True, client_id=None),
        ]
        findings = look(a_look(*deals, at=20), [OPENING], [UNKNOWN])
        assert [i.state for i in findings.intents] == [IntentState.ACCEPTED]
        assert [t.state for t in findings.trades] == [TradeState.CLOSED]

    @pytest.mark.parametrize(
        "change",
        [
            {"magic": 1},
            {"symbol": "EURUSD"},
            {"opened_at": after(-10)},
            {"opened_at": after(91)},
            {"client_id": "S165_AAAAAAAAAAAAAAAA_E0"},
        ],
    )
    def test_a_position_that_differs_is_not_ours(self, change: dict[str, object]) -> None:
        other = position_of(OPENING, **({"client_id": None} | change))
        findings = look(a_look(other, at=120), [OPENING], [UNKNOWN])
        assert findings.intents == ()
        assert findings.unclear == ()

    def test_two_that_could_be_ours_prove_neither_presence_nor_absence(self) -> None:
        twins = [unnamed(position_of(OPENING, position_id=number)) for number in ("P1", "P2")]
        shots = [a_look(*twins, at=at) for at in (0.5, 100, 106, 500)]
        assert series(UNKNOWN, OPENING, *shots).state is IntentState.UNKNOWN
        assert look(shots[-1], [OPENING], [UNKNOWN]).unclear == (UNKNOWN.intent_id,)

    def test_one_of_another_volume_forbids_to_call_it_absent(self) -> None:
        partly = unnamed(position_of(OPENING, lots=Lots.of("0.04")))
        shots = [a_look(partly, at=at) for at in (100, 106)]
        assert series(UNKNOWN, OPENING, *shots).state is IntentState.UNKNOWN

    def test_one_that_another_trade_holds_is_not_taken_again(self) -> None:
        second = a_trade(2, TradeState.OPENING)
        held = a_trade(1, position_id="P9")
        nameless = unnamed(position_of(held, position_id="P9"))
        unknown = an_entry(second, IntentState.UNKNOWN)
        first = look(a_look(nameless, at=100), [held, second], [unknown])
        seen = dict(first.first_absent)
        findings = look(a_look(nameless, at=106), [held, second], [unknown], seen)
        assert [i.state for i in findings.intents] == [IntentState.EXPIRED]

    def test_one_that_a_trade_which_has_ended_held_keeps_nothing_in_doubt(self) -> None:
        deals = [
            deal_of(OPENING, is_exit=exits, client_id=None, position_id="P9")
            for exits in (False, True)
        ]
        taken = frozenset({"P9"})
        first = look(a_look(*deals, at=100), [OPENING], [UNKNOWN], taken=taken)
        assert first.unclear == ()
        seen = dict(first.first_absent)
        findings = look(a_look(*deals, at=106), [OPENING], [UNKNOWN], seen, taken=taken)
        assert [i.state for i in findings.intents] == [IntentState.EXPIRED]

    def test_while_another_entry_is_on_its_way_nothing_is_taken_for_ours(self) -> None:
        nameless = unnamed(position_of(OPENING))
        findings = look(a_look(nameless), [OPENING], [UNKNOWN], in_flight=True)
        assert findings.intents == ()
        assert findings.unclear == (UNKNOWN.intent_id,)


class TestTrades:
    def test_a_closed_one_is_summed_up_from_its_deals(self) -> None:
        trade = a_trade()
        deals = [
            deal_of(trade, is_exit=False),
            deal_of(trade, is_exit=True, lots="0.04", price=Price.of("2354")),
            deal_of(trade, is_exit=True, lots="0.06", price=Price.of("2359"), at=after(60)),
        ]
        (closed,) = look(a_look(*deals), [trade], []).trades
        assert closed.state is TradeState.CLOSED
        assert closed.close_price == Price.of("2357")
        assert closed.profit == Decimal(100)
        assert closed.commission == Decimal(-3)
        assert (closed.volume_open, closed.closed_at) == (Lots.of(0), after(60))
        assert closed.close_reason == "take_profit"

    def test_one_whose_exit_is_only_half_known_is_not_called_closed(self) -> None:
        trade = a_trade()
        deals = [deal_of(trade, is_exit=False), deal_of(trade, is_exit=True, lots="0.04")]
        assert look(a_look(*deals), [trade], []).trades == ()

    def test_one_partly_closed_stays_open_with_what_is_left(self) -> None:
        trade = a_trade()
        left = position_of(trade, lots=Lots.of("0.06"))
        (seen,) = look(a_look(left, deal_of(trade, is_exit=True, lots="0.04")), [trade], []).trades
        assert (seen.state, seen.volume_open) == (TradeState.OPEN, Lots.of("0.06"))

    def test_levels_changed_in_the_terminal_are_adopted(self) -> None:
        trade = a_trade()
        changed = position_of(trade, stop_loss=Price.of("2345"), take_profit=None)
        (seen,) = look(a_look(changed), [trade], []).trades
        assert (seen.stop_loss, seen.take_profit) == (Price.of("2345"), None)

    @pytest.mark.parametrize("state", ["cancelled", "expired", "rejected"])
    def test_a_pending_order_that_ended_without_a_deal_never_opened(self, state: str) -> None:
        trade = a_trade(1, TradeState.PENDING)
        (seen,) = look(a_look(ended_order_of(trade, state)), [trade], []).trades
        assert (seen.state, seen.close_reason) == (TradeState.NEVER_OPENED, state)

    def test_a_pending_order_that_was_filled_is_open(self) -> None:
        trade = a_trade(1, TradeState.PENDING)
        (seen,) = look(a_look(position_of(trade, position_id="O1")), [trade], []).trades
        assert (seen.state, seen.position_id) == (TradeState.OPEN, "O1")

    def test_one_that_vanished_asks_for_the_history_and_stays_as_it_is(self) -> None:
        light = look(a_look(full=False), [a_trade()], [])
        assert (light.trades, light.needs_full) == ((), True)
        whole = look(a_look(), [a_trade()], [])
        assert (whole.trades, whole.needs_full) == ((), False)

    def test_one_that_ended_is_never_opened_again(self) -> None:
        ended = a_trade(1, TradeState.CLOSED)
        assert look(a_look(position_of(ended)), [ended], []).trades == ()

    def test_of_two_positions_the_known_one_is_followed_and_the_double_is_named(self) -> None:
        trade = a_trade(1, position_id="P2")
        positions = [position_of(trade, position_id=number) for number in ("P1", "P2")]
        findings = look(a_look(*positions), [trade], [])
        (double,) = findings.doubled
        assert (double.trade, double.position_id) == (trade.trade_id, "P1")
        assert all(seen.position_id == "P2" for seen in findings.trades)

    def test_our_own_legs_are_no_doubles_of_each_other(self) -> None:
        legs = [a_trade(1), a_trade(2)]
        findings = look(a_look(*(position_of(leg) for leg in legs)), legs, [])
        assert findings.doubled == ()

    def test_positions_of_others_are_never_touched(self) -> None:
        foreign = position_of(a_trade(9), client_id=None, magic=0)
        findings = look(a_look(foreign, position_of(a_trade())), [a_trade()], [])
        assert findings.doubled == ()
        assert all(seen.trade_id == a_trade().trade_id for seen in findings.trades)


OPEN = a_trade()
PENDING = a_trade(1, TradeState.PENDING)
JUST_OPENED = replace(OPEN, open_price=None, opened_at=after(0))
HALF = Lots.of("0.05")
STOP, TARGET = Price.of("2350"), Price.of("2360")

DONE: list[tuple[Command, Trade, Snapshot]] = [
    (CloseLeg(), OPEN, a_look(deal_of(OPEN, is_exit=True))),
    (CloseLeg(), JUST_OPENED, a_look(deal_of(OPEN, is_exit=True))),
    (ReduceLeg(remaining=HALF), OPEN, a_look(position_of(OPEN, lots=HALF), full=False)),
    (ReduceLeg(remaining=HALF), OPEN, a_look(deal_of(OPEN, is_exit=True))),
    (
        ProtectLeg(stop_loss=STOP, take_profit=TARGET),
        OPEN,
        a_look(position_of(OPEN, stop_loss=Price.of("2350.00")), full=False),
    ),
    (
        ProtectLeg(stop_loss=STOP, take_profit=TARGET),
        OPEN,
        a_look(deal_of(OPEN, is_exit=True)),
    ),
    (CancelLeg(), PENDING, a_look(ended_order_of(PENDING, "cancelled"))),
    (CancelLeg(), PENDING, a_look(position_of(PENDING), full=False)),
    (
        AmendLeg(price=Price.of("2344"), stop_loss=STOP, take_profit=TARGET),
        PENDING,
        a_look(order_of(PENDING, "2344", stop_loss=STOP), full=False),
    ),
    (
        AmendLeg(price=Price.of("2344"), stop_loss=STOP, take_profit=TARGET),
        PENDING,
        a_look(position_of(PENDING), full=False),
    ),
]
NOT_DONE: list[tuple[Command, Trade, Snapshot]] = [
    (CloseLeg(), OPEN, a_look(position_of(OPEN))),
    (CloseLeg(), OPEN, a_look(complete=False)),
    (CloseLeg(), OPEN, a_look()),
    (CloseLeg(), OPEN, a_look(deal_of(OPEN, is_exit=True), complete=False)),
    (ReduceLeg(remaining=HALF), OPEN, a_look(position_of(OPEN, lots=Lots.of("0.06")))),
    (ReduceLeg(remaining=HALF), OPEN, a_look()),
    (ProtectLeg(stop_loss=STOP, take_profit=TARGET), OPEN, a_look(position_of(OPEN))),
    (ProtectLeg(stop_loss=STOP, take_profit=TARGET), OPEN, a_look()),
    (
        ProtectLeg(stop_loss=STOP, take_profit=None),
        OPEN,
        a_look(position_of(OPEN, stop_loss=STOP)),
    ),
    (CancelLeg(), PENDING, a_look(order_of(PENDING))),
    (CancelLeg(), PENDING, a_look()),
    (CancelLeg(), PENDING, a_look(complete=False)),
    (
        AmendLeg(price=Price.of("2344"), stop_loss=STOP, take_profit=TARGET),
        PENDING,
        a_look(order_of(PENDING, "2345", stop_loss=STOP)),
    ),
]


class TestFollowUps:
    @pytest.mark.parametrize(("command", "trade", "snapshot"), DONE)
    def test_are_settled_as_soon_as_their_effect_is_seen(
        self, command: Command, trade: Trade, snapshot: Snapshot
    ) -> None:
        unknown = an_intent(trade, command, IntentState.UNKNOWN)
        findings = look(snapshot, [trade], [unknown])
        assert [i.state for i in findings.intents] == [IntentState.ACCEPTED]

    @pytest.mark.parametrize(("command", "trade", "snapshot"), NOT_DONE)
    def test_stay_open_while_their_effect_is_not_seen(
        self, command: Command, trade: Trade, snapshot: Snapshot
    ) -> None:
        unknown = an_intent(trade, command, IntentState.UNKNOWN)
        assert look(snapshot, [trade], [unknown]).intents == ()

    def test_of_a_trade_that_has_ended_are_settled(self) -> None:
        ended = a_trade(1, TradeState.CLOSED)
        unknown = an_intent(ended, CloseLeg(), IntentState.UNKNOWN)
        assert [i.state for i in look(a_look(full=False), [ended], [unknown]).intents] == [
            IntentState.ACCEPTED
        ]

    @pytest.mark.parametrize(
        "command",
        [CloseLeg(), ProtectLeg(stop_loss=STOP, take_profit=TARGET)],
    )
    def test_that_may_be_repeated_are_decided_again_after_two_looks(self, command: Command) -> None:
        unknown = an_intent(OPEN, command, IntentState.UNKNOWN)
        shots = [a_look(position_of(OPEN), at=at, full=False) for at in (1.9, 2.0, 6.9)]
        assert series(unknown, OPEN, *shots).state is IntentState.UNKNOWN
        last = a_look(position_of(OPEN), at=7.0, full=False)
        assert series(unknown, OPEN, *shots, last).state is IntentState.HELD

    def test_a_part_close_waits_for_the_whole_window(self) -> None:
        unknown = an_intent(OPEN, ReduceLeg(remaining=HALF), IntentState.UNKNOWN)
        shots = [a_look(position_of(OPEN), at=at) for at in (2, 8, 60, 99, 100)]
        assert series(unknown, OPEN, *shots).state is IntentState.UNKNOWN
        last = a_look(position_of(OPEN), at=105)
        assert series(unknown, OPEN, *shots, last).state is IntentState.HELD


def test_the_next_look_follows_the_table_and_then_goes_on_evenly() -> None:
    moments = [0.0, 0.5, 1.2, 14.0, 100.0, 106.0, 200.0]
    waits = [RULES.next_look(after(0), after(at)) - after(at) for at in moments]
    assert waits == [timedelta(seconds=s) for s in (0.5, 0.5, 0.8, 1.0, 6.0, 5.0, 5.0)]
