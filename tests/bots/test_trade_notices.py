"""What became of signals and trades is told, once, also when it happened while nobody ran."""

from kit.brokers import NO_MONEY
from kit.builders import CHAT
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, Fleet
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.ports.chat_source import Origin

KINDS = frozenset(
    {
        NoticeKind.TRADE_OPENED,
        NoticeKind.TRADE_CLOSED,
        NoticeKind.TRADE_REFUSED,
        NoticeKind.STOP_MOVED,
        NoticeKind.FOLLOW_UP_NOT_APPLIED,
    }
)


async def told(fleet: Fleet) -> list[Notice]:
    stored = await fleet.mine.notices.recent(500)
    return [one.notice for one in reversed(stored) if one.notice.kind in KINDS]


async def kinds(fleet: Fleet) -> list[NoticeKind]:
    return [one.kind for one in await told(fleet)]


async def test_opened_legs_and_their_results_are_told(fleet: Fleet) -> None:
    await fleet.say(GOLD_BUY, wait=3)
    opened = await told(fleet)
    assert [one.kind for one in opened] == [NoticeKind.TRADE_OPENED] * 2
    assert "buy 0.05 XAUUSD at 2350" in str(opened[0].facts["text"])
    fleet.broker.price("2360.00", "2360.10")
    await settle_down(40)
    (closed,) = [one for one in await told(fleet) if one.kind is NoticeKind.TRADE_CLOSED]
    assert "result +50.00" in str(closed.facts["text"])


async def test_a_restart_tells_nothing_twice_and_what_happened_meanwhile(fleet: Fleet) -> None:
    await fleet.say(GOLD_BUY, wait=3)
    await fleet.kill()
    fleet.broker.price("2360.00", "2360.10")
    await fleet.restart()
    await settle_down(5)
    found = await kinds(fleet)
    assert found.count(NoticeKind.TRADE_OPENED) == 2
    assert found.count(NoticeKind.TRADE_CLOSED) == 1


async def test_a_refused_signal_is_told_with_its_reason(fleet: Fleet) -> None:
    await fleet.say("BUY GOLD 2350 SL 2360 TP 2370")
    await fleet.say(GOLD_BUY, age=3600, wait=2)
    refused = [one for one in await told(fleet) if one.kind is NoticeKind.TRADE_REFUSED]
    assert refused
    assert all(one.facts["reason"] for one in refused)
    assert all(one.about.startswith("signal:") for one in refused)


async def test_an_order_that_the_broker_refuses_is_told_as_not_copied(fleet: Fleet) -> None:
    fleet.broker.answers += [NO_MONEY, NO_MONEY]
    await fleet.say(GOLD_BUY, wait=3)
    refused = [one for one in await told(fleet) if one.kind is NoticeKind.TRADE_REFUSED]
    assert [one.about.startswith("trade:") for one in refused] == [True, True]


async def test_a_moved_stop_is_told_and_an_instruction_without_a_trade_is_not(
    fleet: Fleet,
) -> None:
    number = await fleet.say(GOLD_BUY, wait=3)
    fleet.broker.price("2356.00", "2356.10")
    await fleet.say("Move SL to breakeven", reply_to=number, wait=40)
    assert NoticeKind.STOP_MOVED in await kinds(fleet)
    before = len(await told(fleet))
    await fleet.say("Move SL to breakeven", reply_to=999, wait=3)
    assert len(await told(fleet)) == before


async def test_posts_that_were_found_after_a_gap_are_told_for_their_chat(fleet: Fleet) -> None:
    await fleet.say("good morning", origin=Origin.REPAIR)
    await fleet.say("good evening", origin=Origin.REPAIR)
    (gap,) = [one.notice for one in await fleet.mine.notices.recent()]
    assert (gap.kind, gap.about) == (NoticeKind.GAP_RECOVERED, f"chat:{CHAT}")


async def test_a_store_that_is_away_delays_notices_and_loses_none(fleet: Fleet) -> None:
    bot = next(iter(fleet.manager.active_bots.values()))
    await fleet.say(GOLD_BUY, wait=0.2)
    trades = await fleet.mine.journal.recent_trades()
    fleet.store.is_down = True
    bot._trade_notices.trades([trade.trade_id for trade in trades])
    await settle_down(12)
    fleet.store.is_down = False
    await settle_down(60)
    assert (await kinds(fleet)).count(NoticeKind.TRADE_OPENED) == 2
