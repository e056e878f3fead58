"""How long an outcome has been unknown: measured, and an alarm when it lasts too long."""

from datetime import timedelta

from kit.brokers import LOST, NEVER_CAME
from kit.clock import settle_down
from kit.fleet import Fleet
from signalfleet.domain.accounts.notices import NoticeKind

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"
ALARMS = ("signalfleet_unknown_alarms_total", ())


async def notices(fleet: Fleet) -> list[dict[str, object]]:
    stored = await fleet.mine.notices.recent()
    kind = NoticeKind.OUTCOME_UNKNOWN
    return [dict(one.notice.facts) for one in stored if one.notice.kind is kind]


async def test_the_age_grows_while_nothing_is_known_and_ends_with_the_doubt(fleet: Fleet) -> None:
    assert fleet.manager.oldest_unknown() == timedelta(0)
    fleet.broker.answers.append(LOST)
    fleet.broker.look_takes = 20.0
    await fleet.say(ONE_LEG, wait=10)
    assert timedelta(seconds=9) < fleet.manager.oldest_unknown() < timedelta(seconds=11)
    fleet.broker.look_takes = 0.0
    await settle_down(20)
    assert fleet.manager.oldest_unknown() == timedelta(0)


async def test_after_two_minutes_the_operator_and_the_user_are_told_once(fleet: Fleet) -> None:
    fleet.broker.answers.append(NEVER_CAME)
    await fleet.say(ONE_LEG, wait=0.2)
    fleet.broker.unreadable = True
    await settle_down(110)
    assert fleet.metrics.counts[ALARMS] == 0
    await settle_down(80)
    assert fleet.metrics.counts[ALARMS] == 1
    (facts,) = await notices(fleet)
    assert facts["text"] == "buy 0.10 XAUUSD, leg 1"
    await settle_down(300)
    assert fleet.metrics.counts[ALARMS] == 1


async def test_a_doubt_that_is_settled_in_time_raises_no_alarm(fleet: Fleet) -> None:
    fleet.broker.answers.append(NEVER_CAME)
    await fleet.say(ONE_LEG, wait=300)
    assert fleet.metrics.counts[ALARMS] == 0
    assert await notices(fleet) == []
