"""The summary counts what the user's own day brought."""

from datetime import timedelta

from kit.clock import settle_down
from kit.fleet import GOLD_BUY, Fleet
from signalfleet.app.daily_summary import facts_of_day
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.ports.notices import StoredNotice
from signalfleet.web.present.formats import Times
from signalfleet.web.present.notices import notice_rows
from signalfleet.web.present.words import Words


async def test_a_day_is_told_with_its_result_and_why_signals_were_not_copied(fleet: Fleet) -> None:
    await fleet.say(GOLD_BUY, wait=3)
    fleet.broker.price("2360.00", "2360.10")
    await settle_down(40)
    await fleet.say("BUY GOLD 2350 SL 2340 TP 2370", age=3600, wait=2)
    now = fleet.clock.now()
    facts = await facts_of_day(fleet.mine, now - timedelta(days=1), now + timedelta(seconds=1))
    refusals = facts["refusals"]
    assert isinstance(refusals, dict)
    assert sum(refusals.values()) == 1
    text = str(facts["text"])
    assert text.startswith("2 signals, 1 copied, 2 trades opened, 1 closed, result +50.00")
    assert text.endswith("; 1 open now")
    notice = Notice(kind=NoticeKind.DAILY_SUMMARY, at=now, about="day:2026-03-02", facts=facts)
    stored = [StoredNotice(number=1, notice=notice)]
    (row,) = await notice_rows(fleet.mine, stored, Times("UTC", now), Words.english())
    assert "Not copied: 1 x " in row.sentence
    yesterday = await facts_of_day(fleet.mine, now - timedelta(days=2), now - timedelta(days=1))
    assert str(yesterday["text"]).startswith("0 signals, 0 copied, 0 trades opened, 0 closed; ")
