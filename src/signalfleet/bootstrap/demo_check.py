"""Prove the demo to a machine: what our records say is confirmed by the simulated broker."""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any

from signalfleet.bootstrap.city import City
from signalfleet.bootstrap.demo import ACCOUNT
from signalfleet.bootstrap.platform import Platform
from signalfleet.domain.ids import UserId, client_id_stem
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.records import CopyOutcome, Trade

WANTED_TRADES = 5
NOISE = ("VIP ROOM", "<script>", "Yesterday's results", "If gold breaks", "NFP on Friday")
"""Words of scripted messages that must never move money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFigures:
    """What was seen, and how long it took.

    `doubled` counts legs with more than one order in the broker's book, `noise_traded` adverts,
    recaps and the like that led to an order.
    """

    trades_opened: int
    break_evens: int
    partial_closes: int
    refusals: int
    doubled: int
    noise_traded: int
    seconds: float

    @property
    def is_ok(self) -> bool:
        return (
            self.trades_opened >= WANTED_TRADES
            and self.break_evens >= 1
            and self.partial_closes >= 1
            and self.refusals >= 1
            and self.doubled == 0
            and self.noise_traded == 0
        )

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.is_ok, **asdict(self)}


async def check_demo(
    platform: Platform, city: City, user: UserId, *, limit_s: float
) -> CheckFigures:
    """Wait until everything was seen at the broker, or until the time is over."""
    begun = time.monotonic()
    while True:
        figures = await _count(platform, city, user, begun)
        is_wrong = figures.doubled or figures.noise_traded
        if figures.is_ok or is_wrong or time.monotonic() - begun > limit_s:
            return figures
        await asyncio.sleep(0.5)


async def _count(platform: Platform, city: City, user: UserId, begun: float) -> CheckFigures:
    journal = platform.store.user(user).journal
    book = await city.ask_broker("/control/book")
    trades = await journal.recent_trades(200)
    intents = await journal.intents_of_trades([trade.trade_id for trade in trades])
    opened = _openings(book)
    signals = await journal.recent_signals(limit=100)
    copies = await journal.copies_of_signals([record.signal_id for record in signals])
    refused = [c for c in copies if c.outcome is CopyOutcome.SKIPPED and c.account == ACCOUNT]
    return CheckFigures(
        trades_opened=sum(1 for t in trades if client_id_stem(t.client_id) in opened),
        break_evens=_break_evens(trades),
        partial_closes=sum(1 for order in book if order["action"] == "POSITION_PARTIAL"),
        refusals=sum(1 for copy in refused if copy.reason),
        doubled=sum(1 for count in opened.values() if count > 1),
        noise_traded=await _noise_traded(platform, user, intents),
        seconds=round(time.monotonic() - begun, 1),
    )


async def _noise_traded(platform: Platform, user: UserId, intents: tuple[Intent, ...]) -> int:
    store = platform.store.user(user)
    count = 0
    for stored in await store.inbox.recent(200):
        message = stored.message
        if not any(words in message.text for words in NOISE):
            continue
        cause = f"msg:{message.channel}:{message.message}:"
        entered = await store.journal.signals_of_message(message.channel, message.message)
        count += bool(entered) or any(intent.cause.startswith(cause) for intent in intents)
    return count


def _openings(book: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for order in book:
        if order["action"].startswith("ORDER_TYPE_") and order.get("clientId"):
            stem = client_id_stem(order["clientId"])
            found[stem] = found.get(stem, 0) + 1
    return found


def _break_evens(trades: tuple[Trade, ...]) -> int:
    """Count trades whose stop is where nothing can be lost, by what the broker shows of them."""
    return sum(
        1
        for trade in trades
        if trade.stop_loss is not None
        and trade.open_price is not None
        and (trade.stop_loss.value - trade.open_price.value) * trade.side.sign >= 0
    )
