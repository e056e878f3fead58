"""Decisions are claimed once and as a whole; settlements replace rows as a whole."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from kit.store_rows import (
    ACCOUNT,
    CHAT,
    NOW,
    OTHER_ACCOUNT,
    World,
    a_batch,
    a_post,
    after,
    everything,
    key,
)
from signalfleet.domain.ids import AccountId, ChannelId, IntentId, MessageId, SignalId, TradeId
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.settings.distances import Distance
from signalfleet.domain.settings.protection import Rung
from signalfleet.domain.trading.care import Care
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    IntentState,
    ProtectLeg,
    ReduceLeg,
    TargetStep,
)
from signalfleet.domain.trading.orders import StopStep, TrailingStop
from signalfleet.domain.trading.records import (
    CopyOutcome,
    Decision,
    QuotaUse,
    Settlement,
    TradeState,
)
from signalfleet.ports.chat_source import ChatBatch
from signalfleet.ports.errors import ConflictError, FencedError
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import DecideResult

CLAIMED, ALREADY = DecideResult.CLAIMED, DecideResult.ALREADY_DECIDED
FULL = DecideResult.QUOTA_FULL
DAY = "2026-03-02"


@pytest.fixture
async def decided(world: World) -> World:
    """A world in which message 1 is decided: one signal, one copy, two legs being sent."""
    await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    assert await world.mine.journal.decide(world.rows.decision(1), world.epoch) is CLAIMED
    return world


async def outcome_in(world: World, signal_id: SignalId) -> tuple[CopyOutcome | None, str | None]:
    signal = await world.mine.journal.get_signal(signal_id)
    assert signal is not None
    return signal.outcome, signal.reason


async def test_a_decision_comes_back_whole(decided: World) -> None:
    journal, decision = decided.mine.journal, decided.rows.decision(1)
    signal = decision.signals[0].signal_id
    assert await journal.get_signal(signal) == decision.signals[0]
    assert await journal.signals_of_message(CHAT, MessageId(1)) == decision.signals
    assert await journal.copies_of_signals([signal]) == decision.copies
    assert await journal.trades_of_signals([signal]) == decision.trades
    assert await journal.live_trades() == decision.trades
    assert await journal.get_trade(decision.trades[1].trade_id) == decision.trades[1]
    assert await journal.open_intents() == decision.intents
    assert await journal.trace(key(1)) == decision.trace
    (stored,) = await decided.mine.inbox.recent()
    assert (stored.state, stored.reason) == (MessageState.DONE, None)


async def test_a_decision_to_do_nothing_keeps_its_reason_and_its_trace(world: World) -> None:
    await world.mine.inbox.add(a_batch(a_post(1, "hello")), NOW, world.epoch)
    trace = world.rows.decision(1).trace
    nothing = Decision(key=key(1), reason="no_instruction", trace=trace)
    assert await world.mine.journal.decide(nothing, world.epoch) is CLAIMED
    (stored,) = await world.mine.inbox.recent()
    assert (stored.state, stored.reason) == (MessageState.DONE, "no_instruction")
    assert await world.mine.journal.trace(key(1)) == trace


async def test_a_revision_is_decided_once(decided: World) -> None:
    before = await everything(decided.mine, decided.user)
    assert await decided.mine.journal.decide(decided.rows.decision(1), decided.epoch) is ALREADY
    nothing = Decision(key=key(1), reason="late")
    assert await decided.mine.journal.decide(nothing, decided.epoch) is ALREADY
    assert await everything(decided.mine, decided.user) == before


async def test_a_message_that_is_not_stored_is_not_decided(world: World) -> None:
    assert await world.mine.journal.decide(world.rows.decision(99), world.epoch) is ALREADY
    assert await world.mine.journal.live_trades() == ()


async def test_sixteen_claims_of_one_decision_give_one(world: World) -> None:
    for message in range(1, 31):
        await world.mine.inbox.add(a_batch(a_post(message)), NOW, world.epoch)
        decision = world.rows.decision(message)
        async with asyncio.TaskGroup() as group:
            claims = [
                group.create_task(world.mine.journal.decide(decision, world.epoch))
                for _ in range(16)
            ]
        assert sorted(claim.result() for claim in claims) == [ALREADY] * 15 + [CLAIMED]


async def test_a_decision_counts_what_it_uses_up_or_is_not_written(world: World) -> None:
    mine, two = world.mine, QuotaUse(kind="trades", day=DAY, count=2, limit=3)
    for message in (1, 2):
        await mine.inbox.add(a_batch(a_post(message)), NOW, world.epoch)
    first, second = (replace(world.rows.decision(number), quota=two) for number in (1, 2))
    too_many = replace(first, quota=replace(two, count=4))
    assert await mine.journal.decide(too_many, world.epoch) is FULL
    assert await mine.quota.used("trades", DAY) == 0
    assert await mine.journal.decide(first, world.epoch) is CLAIMED
    assert await mine.quota.used("trades", DAY) == 2
    before = await everything(mine, world.user)
    assert await mine.journal.decide(second, world.epoch) is FULL
    assert await everything(mine, world.user) == before
    assert [one.key for one in await mine.inbox.unread()] == [key(2)]
    fitting = replace(second, quota=replace(two, count=1))
    assert await mine.journal.decide(fitting, world.epoch) is CLAIMED
    assert await mine.quota.used("trades", DAY) == 3


async def test_what_is_not_claimed_uses_up_nothing(decided: World) -> None:
    mine, use = decided.mine, QuotaUse(kind="trades", day=DAY, count=1, limit=9)
    again = replace(decided.rows.decision(1), quota=use)
    assert await mine.journal.decide(again, decided.epoch) is ALREADY
    await mine.inbox.add(a_batch(a_post(2)), after(9), decided.epoch)
    known = decided.rows.decision(1).intents[:1]
    repeating = decided.rows.decision(2)
    repeating = replace(repeating, intents=repeating.intents + known, quota=use)
    assert await mine.journal.decide(repeating, decided.epoch) is ALREADY
    late = replace(decided.rows.decision(2), quota=use)
    with pytest.raises(FencedError):
        await mine.journal.decide(late, decided.epoch - 1)
    assert await mine.quota.used("trades", DAY) == 0


async def test_claims_at_once_of_one_decision_use_up_one_place(world: World) -> None:
    use = QuotaUse(kind="trades", day=DAY, count=1, limit=20)
    await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    decision = replace(world.rows.decision(1), quota=use)
    async with asyncio.TaskGroup() as group:
        claims = [
            group.create_task(world.mine.journal.decide(decision, world.epoch)) for _ in range(16)
        ]
    assert sorted(claim.result() for claim in claims) == [ALREADY] * 15 + [CLAIMED]
    assert await world.mine.quota.used("trades", DAY) == 1


async def test_an_edit_of_a_decided_message_cannot_enter_again(decided: World) -> None:
    mine = decided.mine
    await mine.inbox.add(a_batch(a_post(1, "SELL GOLD", edited=9)), after(9), decided.epoch)
    before = await everything(mine, decided.user)
    second_part = replace(
        decided.rows.decision(1, rev=1),
        signals=(decided.rows.signal(1, part=1, entry_rev=1),),
        copies=(),
        trades=(),
        intents=(),
    )
    for decision in (decided.rows.decision(1, rev=1), second_part):
        assert await mine.journal.decide(decision, decided.epoch) is ALREADY
    assert await everything(mine, decided.user) == before


async def test_an_edit_of_a_decided_message_may_lead_to_intents(decided: World) -> None:
    mine = decided.mine
    await mine.inbox.add(a_batch(a_post(1, "SL 2345", edited=9)), after(9), decided.epoch)
    (trade, _) = decided.rows.decision(1).trades
    intent = replace(
        decided.rows.intent(trade, IntentState.HELD, cause="msg:1"),
        command=ProtectLeg(stop_loss=Price.of("2345"), take_profit=trade.take_profit),
        waits_for=trade.trade_id,
    )
    decision = Decision(key=key(1, 1), reason=None, intents=(intent,))
    assert await mine.journal.decide(decision, decided.epoch) is CLAIMED
    assert intent in await mine.journal.open_intents()
    assert await mine.journal.get_intents([intent.intent_id]) == (intent,)


async def test_a_decision_that_repeats_a_known_intent_is_not_claimed(decided: World) -> None:
    mine = decided.mine
    await mine.inbox.add(a_batch(a_post(2, "close")), after(9), decided.epoch)
    intents = decided.rows.decision(1).intents[:1]
    decision = Decision(key=key(2), reason=None, intents=intents)
    assert await mine.journal.decide(decision, decided.epoch) is ALREADY
    assert [one.key for one in await mine.inbox.unread()] == [key(2)]


async def test_a_decision_is_written_whole_or_not_at_all(decided: World) -> None:
    """Its last row, an intent, is known already: none of the rows before it may stay."""
    mine = decided.mine
    await mine.inbox.add(a_batch(a_post(2)), after(9), decided.epoch)
    before = await everything(mine, decided.user)
    decision = decided.rows.decision(2)
    decision = replace(decision, intents=decision.intents + decided.rows.decision(1).intents[:1])
    assert await mine.journal.decide(decision, decided.epoch) is ALREADY
    assert await everything(mine, decided.user) == before
    assert await mine.journal.get_signal(decided.rows.signal_id(2)) is None
    assert await mine.journal.trace(key(2)) == ()


async def test_a_stale_worker_decides_and_settles_nothing(decided: World) -> None:
    mine = decided.mine
    await mine.inbox.add(a_batch(a_post(2)), after(9), decided.epoch)
    before = await everything(mine, decided.user)
    newer = await decided.claim_mine()
    with pytest.raises(FencedError):
        await mine.journal.decide(decided.rows.decision(2), decided.epoch)
    with pytest.raises(FencedError):
        await mine.journal.settle(Settlement(), decided.epoch)
    assert await everything(mine, decided.user) == before
    assert await mine.journal.decide(decided.rows.decision(2), newer) is CLAIMED


async def test_a_stale_write_among_many_fails_alone(decided: World) -> None:
    mine = decided.mine
    batches = [(a_batch(a_post(number)), number) for number in range(10, 40)]

    async def add(batch: ChatBatch, number: int) -> object:
        epoch = decided.epoch - (number == 20)
        try:
            return await mine.inbox.add(batch, NOW, epoch)
        except FencedError as e:
            return e

    async with asyncio.TaskGroup() as group:
        adds = [group.create_task(add(*one)) for one in batches]
    fenced = [isinstance(one.result(), FencedError) for one in adds]
    assert (fenced.count(True), fenced.index(True)) == (1, 10)
    assert len(await mine.inbox.unread()) == 29


async def test_a_settlement_replaces_its_rows(decided: World) -> None:
    journal, decision = decided.mine.journal, decided.rows.decision(1)
    intent = replace(
        decision.intents[0],
        state=IntentState.ACCEPTED,
        settled_at=after(5),
        order_id="46870472",
        position_id="46870472",
        evidence="TRADE_RETCODE_DONE",
        cancel_wanted=True,
    )
    trade = replace(
        decision.trades[0],
        state=TradeState.CLOSED,
        volume_open=Lots.of("0"),
        open_price=Price.of("2350.12"),
        close_price=Price.of("2360.5"),
        profit=Decimal("10.30"),
        commission=Decimal("-0.70"),
        swap=Decimal("-0.0001"),
        order_id="46870472",
        position_id="46870472",
        opened_at=after(4),
        closed_at=after(90),
        close_reason="take_profit",
    )
    copy = decided.rows.copy(1, outcome=CopyOutcome.FILLED)
    await journal.settle(
        Settlement(intents=(intent,), trades=(trade,), copies=(copy,)), decided.epoch
    )
    assert await journal.get_intents([intent.intent_id]) == (intent,)
    assert await journal.open_intents() == decision.intents[1:]
    assert await journal.live_trades() == decision.trades[1:]
    assert await journal.trades_of_signals([trade.signal]) == (trade, decision.trades[1])
    assert await journal.copies_of_signals([copy.signal]) == (copy,)
    signal = await journal.get_signal(copy.signal)
    assert signal == replace(decision.signals[0], outcome=CopyOutcome.FILLED)


async def test_a_settlement_of_a_row_that_is_not_stored_changes_nothing(decided: World) -> None:
    journal, rows = decided.mine.journal, decided.rows
    before = await everything(decided.mine, decided.user)
    settled = replace(rows.decision(1).intents[0], state=IntentState.REJECTED)
    strangers = (
        Settlement(intents=(settled,), trades=(rows.trade(5),)),
        Settlement(intents=(settled,), copies=(rows.copy(5),)),
        Settlement(intents=(settled, rows.intent(rows.trade(5)))),
    )
    for settlement in strangers:
        with pytest.raises(ConflictError):
            await journal.settle(settlement, decided.epoch)
    assert await everything(decided.mine, decided.user) == before


async def test_an_added_intent_is_written_once(decided: World) -> None:
    journal = decided.mine.journal
    trade = decided.rows.decision(1).trades[0]
    held = decided.rows.intent(trade, IntentState.HELD, cause="rule:be_after_tp1")
    sent = replace(held, state=IntentState.SENDING, attempt=1)
    await journal.settle(Settlement(added_intents=(held,)), decided.epoch)
    await journal.settle(Settlement(intents=(sent,), added_intents=(held,)), decided.epoch)
    assert await journal.get_intents([held.intent_id]) == (sent,)


@pytest.mark.parametrize(
    "command",
    [
        CloseLeg(),
        CancelLeg(),
        ReduceLeg(remaining=Lots.of("0.03")),
        ProtectLeg(stop_loss=None, take_profit=Price.of("1.1")),
        ProtectLeg(
            stop_loss=Price.of("1.05"),
            take_profit=None,
            trailing=TrailingStop(
                distance=Decimal("0.001"),
                steps=(StopStep(reached=Price.of("1.1"), stop_loss=Price.of("1.07")),),
            ),
            care=Care(
                pip=Decimal("0.0001"),
                point=Decimal("0.00001"),
                targets=(Price.of("1.1"), None),
                distance=Distance.of("20 pips"),
                table=(Rung(at=Distance.of("1 R"), stop=None),),
                armed=Price.of("1.06"),
            ),
            steps=(TargetStep(price=Price.of("1.1"), remaining=Lots.of("0.02")),),
            widens=True,
        ),
        AmendLeg(price=Price.of("1.08501"), stop_loss=Price.of("1"), take_profit=None),
    ],
)
async def test_every_command_comes_back_as_it_was(decided: World, command: Command) -> None:
    trade = decided.rows.decision(1).trades[0]
    intent = replace(decided.rows.intent(trade, cause="cmd:1"), command=command)
    await decided.mine.journal.settle(Settlement(added_intents=(intent,)), decided.epoch)
    assert await decided.mine.journal.get_intents([intent.intent_id]) == (intent,)


async def test_the_outcome_of_a_signal_waits_for_all_copies(world: World) -> None:
    rows, journal = world.rows, world.mine.journal
    await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    copies = (rows.copy(1), rows.copy(1, account=OTHER_ACCOUNT))
    await journal.decide(replace(rows.decision(1), copies=copies), world.epoch)
    rejected = rows.copy(1, outcome=CopyOutcome.REJECTED, reason="no_money")
    await journal.settle(Settlement(copies=(rejected,)), world.epoch)
    assert await outcome_in(world, rejected.signal) == (None, None)
    skipped = rows.copy(1, account=OTHER_ACCOUNT, outcome=CopyOutcome.SKIPPED, reason="too_old")
    await journal.settle(Settlement(copies=(skipped,)), world.epoch)
    assert await outcome_in(world, rejected.signal) == (CopyOutcome.REJECTED, "no_money")
    working = rows.copy(1, account=OTHER_ACCOUNT, outcome=CopyOutcome.WORKING)
    await journal.settle(Settlement(copies=(working,)), world.epoch)
    assert await outcome_in(world, rejected.signal) == (CopyOutcome.WORKING, None)


async def test_a_signal_that_every_account_skips_is_skipped_at_once(world: World) -> None:
    rows, journal = world.rows, world.mine.journal
    await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    skipped = rows.copy(1, outcome=CopyOutcome.SKIPPED, reason="too_old")
    decision = replace(rows.decision(1), copies=(skipped,), trades=(), intents=())
    await journal.decide(decision, world.epoch)
    assert await outcome_in(world, skipped.signal) == (CopyOutcome.SKIPPED, "too_old")


async def test_lists_are_ordered_and_bounded(world: World) -> None:
    rows, journal = world.rows, world.mine.journal
    for message in (1, 3, 2):
        await world.mine.inbox.add(a_batch(a_post(message)), NOW, world.epoch)
        await journal.decide(rows.decision(message), world.epoch)
    signals = await journal.recent_signals()
    assert [one.message for one in signals] == [3, 2, 1]
    assert await journal.recent_signals(limit=2) == signals[:2]
    assert await journal.recent_signals(CHAT) == signals
    assert await journal.recent_signals(ChannelId(-100)) == ()
    newest = [(rows.signal_id(one), leg) for one in (3, 2, 1) for leg in (1, 2)]
    trades = await journal.recent_trades()
    assert [(one.signal, one.leg) for one in trades] == newest
    assert await journal.recent_trades(limit=3) == trades[:3]
    assert len(await journal.open_intents()) == 6
    assert len(await journal.trades_of_signals([rows.signal_id(1), rows.signal_id(3)])) == 4
    assert await journal.live_trades(ACCOUNT) == await journal.live_trades()
    assert await journal.live_trades(AccountId("a_none")) == ()
    of_trades = await journal.intents_of_trades([trades[0].trade_id, trades[5].trade_id])
    assert [one.trade for one in of_trades] == [trades[0].trade_id, trades[5].trade_id]


async def test_what_does_not_exist_is_absent(world: World) -> None:
    journal = world.mine.journal
    assert await journal.get_signal(SignalId("NOPE")) is None
    assert await journal.get_intents([IntentId("iNOPE")]) == ()
    assert await journal.get_intents([]) == ()
    assert await journal.intents_of_trades([TradeId("NOPE")]) == ()
    assert await journal.get_trade(TradeId("NOPE")) is None
    assert await journal.trades_of_signals([SignalId("NOPE")]) == ()
    assert await journal.copies_of_signals([]) == ()
    assert await journal.trace(key(77)) == ()
    assert await journal.signals_of_message(CHAT, MessageId(77)) == ()


async def test_intents_come_in_the_order_in_which_they_are_asked_for(world: World) -> None:
    await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    decision = world.rows.decision(1, legs=12)
    assert await world.mine.journal.decide(decision, world.epoch) is CLAIMED
    for asked in (decision.intents, decision.intents[::-1], decision.intents[5:2:-1]):
        found = await world.mine.journal.get_intents([one.intent_id for one in asked])
        assert found == asked
