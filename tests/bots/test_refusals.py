"""Reasons that only an account shows: each of them leaves a failed check in the trace."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from kit.brokers import open_by_hand
from kit.builders import CHAT
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, Fleet, a_fleet
from signalfleet.app.probation import begin_probation
from signalfleet.domain.ids import MessageId
from signalfleet.domain.money import Lots
from signalfleet.ports.store import CopyMode
from signalfleet.web.present.words import Words

WORDS = Words.english()
Prepared = Callable[[Fleet], Awaitable[None]]


async def failed_checks(fleet: Fleet, number: int) -> list[dict[str, Any]]:
    steps = await fleet.trace(MessageId(number))
    rows: list[dict[str, Any]] = []
    for step in steps:
        if step.stage == "checked":
            rows += [row for row in step.facts["checks"] if not row["passed"]]  # type: ignore[attr-defined]
    return rows


async def a_strict_margin_level(fleet: Fleet) -> None:
    await fleet.set_rules(min_margin_level="99000")


async def hardly_any_margin_left(fleet: Fleet) -> None:
    open_by_hand(fleet.broker, lots=Lots.of("20.80"))
    await settle_down(61)  # The account is read again.


async def no_such_symbol(fleet: Fleet) -> None:
    fleet.broker.board._instruments.pop("XAUUSD")


async def a_broker_that_does_not_answer(fleet: Fleet) -> None:
    fleet.broker.unreadable = True
    await settle_down(61)  # What was read of it before is too old by then.


async def no_account_for_it(fleet: Fleet) -> None:
    await fleet.set_rules(f"channel:{CHAT}", copy_to=["a_other"])


async def a_channel_on_probation(fleet: Fleet) -> None:
    await begin_probation(fleet.mine.settings, CHAT, fleet.clock.now())


async def paper_only(fleet: Fleet) -> None:
    channel = await fleet.mine.channels.get(CHAT)
    assert channel is not None
    await fleet.mine.channels.put(replace(channel, mode=CopyMode.PAPER))
    await settle_down(6)


CASES: dict[str, tuple[Prepared, str]] = {
    "margin": (hardly_any_margin_left, "margin"),
    "probation": (a_channel_on_probation, "on_probation"),
    "margin level": (a_strict_margin_level, "margin_level"),
    "symbol": (no_such_symbol, "symbol_not_at_broker"),
    "no answer": (a_broker_that_does_not_answer, "account_not_ready"),
    "routing": (no_account_for_it, "no_account"),
    "paper": (paper_only, "no_account"),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_reason_found_with_the_account_is_told_whole(case: str) -> None:
    prepare, code = CASES[case]
    async with a_fleet() as fleet:
        await prepare(fleet)
        number = await fleet.say(GOLD_BUY, wait=60)
        failed = await failed_checks(fleet, number)
        assert code in [row["code"] for row in failed]
        assert all(row[part] for row in failed for part in ("name", "value", "limit", "source"))
        assert WORDS.has("reason", code)
