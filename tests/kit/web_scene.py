"""A user's day in a store, for looking at pages: signals copied, skipped, unknown, and chatter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import (
    AccountId,
    ChannelId,
    InstallationId,
    MessageId,
    SignalId,
    UserId,
    client_id,
    intent_id,
    signal_id,
    slot,
    trade_id,
)
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import ChannelMessage, OrderKind, PriceRange, Signal, Span
from signalfleet.domain.trading.intents import (
    Action,
    Command,
    Intent,
    IntentState,
    OpenLeg,
    ProtectLeg,
)
from signalfleet.domain.trading.records import (
    Copy,
    CopyOutcome,
    Decision,
    MessageKey,
    Settlement,
    SignalRecord,
    TraceStep,
    Trade,
    TradeState,
)
from signalfleet.domain.trading.reports import AccountFacts, Position, WorkingOrder
from signalfleet.ports.chat_source import ChatBatch, Deleted, Edited, Origin, Posted
from signalfleet.ports.store import (
    Account,
    AccountView,
    Channel,
    CopyMode,
    Store,
    UserProfile,
    UserStore,
)

CELL = "c1"
USER = UserId("u_demo00000000000000")
ACCOUNT = AccountId("a_demo")
INSTALLATION = InstallationId("in_scene")
GOLD = ChannelId(-1001000000001)
DESK = ChannelId(-1001000000002)
INDEX = ChannelId(-1001000000003)
CONTRACT = {"XAUUSD": 100, "EURUSD": 100_000, "GBPUSD": 100_000, "NAS100": 1}


def price(text: str | None) -> Price | None:
    return None if text is None else Price.of(text)


@dataclass(kw_only=True)
class Leg:
    """One order of a signal as the scene wants it."""

    lots: str
    target: str | None
    state: TradeState = TradeState.OPEN
    intent: IntentState = IntentState.ACCEPTED
    fill: str | None = None
    stop_now: str | None = None
    close: str | None = None
    profit: str | None = None
    reason: str | None = None


@dataclass(kw_only=True)
class Post:
    """A signal as the scene wants it. `ago` in seconds before now; `took` until it was sent."""

    chat: ChannelId
    message: int
    text: str
    ago: float
    side: Side = Side.BUY
    symbol: str = "XAUUSD"
    entry: tuple[str, ...] = ()
    stop: str | None = None
    targets: tuple[str, ...] = ()
    order: OrderKind | None = None
    legs: tuple[Leg, ...] = ()
    outcome: CopyOutcome | None = CopyOutcome.FILLED
    reason: str | None = None
    detail: str = ""
    failed: dict[str, object] | None = None
    took: float = 0.42
    reply_to: int | None = None


@dataclass(kw_only=True)
class Scene:
    """Writes rows of one user as a bot would have."""

    store: Store
    now: datetime
    epoch: int = 0
    user: UserId = USER
    positions: list[Position] = field(default_factory=list)
    orders: list[WorkingOrder] = field(default_factory=list)

    @property
    def mine(self) -> UserStore:
        return self.store.user(self.user)

    async def begin(self, name: str = "Demo", mode: str = "PAPER") -> None:
        profile = UserProfile(
            user_id=self.user,
            telegram_id=None,
            display_name=name,
            tier="FREE",
            timezone="Europe/Berlin",
            slot=slot(self.user),
        )
        await self.store.fleet.add_user(profile)
        self.epoch = await claim_slots(self.store.fleet, CELL, [profile.slot], "w1")
        await self.mine.accounts.put(
            Account(
                account_id=ACCOUNT,
                broker="metaapi",
                mode=mode,
                server="Simulated-Demo",
                login_masked="*****417",
                currency="USD",
            )
        )

    async def channel(self, chat: ChannelId, title: str) -> None:
        await self.mine.channels.put(
            Channel(chat=chat, kind="channel", title=title, access_hash=1, mode=CopyMode.ON)
        )

    async def bot(self, state: BotState, *, ago: float, reason: str | None = None) -> None:
        await self.mine.bot.set_wish(on=True, by="scene")
        await self.mine.bot.set_state(
            state,
            reason=reason,
            since=self.now - timedelta(seconds=ago),
            retry_at=None,
            crashes=0,
            epoch=self.epoch,
        )

    async def receive(
        self,
        chat: ChannelId,
        message: int,
        text: str,
        ago: float,
        *,
        reply_to: int | None = None,
        edited_ago: float | None = None,
        has_media: bool = False,
    ) -> MessageKey:
        posted = self.now - timedelta(seconds=ago)
        edited = None if edited_ago is None else self.now - timedelta(seconds=edited_ago)
        one = ChannelMessage(
            channel=chat,
            message=MessageId(message),
            text=text,
            posted_at=posted,
            edited_at=edited,
            reply_to=None if reply_to is None else MessageId(reply_to),
            has_media=has_media,
        )
        item = Posted(message=one) if edited is None else Edited(message=one)
        batch = ChatBatch(chat=chat, origin=Origin.LIVE, items=(item,))
        at = (edited or posted) + timedelta(seconds=0.2)
        keys = await self.mine.inbox.add(batch, at, self.epoch)
        return keys[0]

    async def delete(self, chat: ChannelId, message: int) -> None:
        gone = Deleted(chat=chat, messages=(MessageId(message),))
        batch = ChatBatch(chat=chat, origin=Origin.LIVE, items=(gone,))
        await self.mine.inbox.add(batch, self.now, self.epoch)

    async def nothing(
        self, chat: ChannelId, message: int, text: str, ago: float, reason: str
    ) -> None:
        """A message that gives no instruction."""
        key = await self.receive(chat, message, text, ago)
        at = self.now - timedelta(seconds=ago - 0.25)
        result = "ambiguous" if reason in ("two_sides", "no_symbol") else "not_a_signal"
        read = {"result": result, "reasons": [reason], "readings": []}
        trace = (self._received(at), TraceStep(stage="read", at=at, facts=read))
        await self.mine.journal.decide(Decision(key=key, reason=reason, trace=trace), self.epoch)

    async def signal(self, post: Post) -> SignalId:
        key = await self.receive(
            post.chat, post.message, post.text, post.ago, reply_to=post.reply_to
        )
        posted = self.now - timedelta(seconds=post.ago)
        at = posted + timedelta(seconds=0.24)
        one = signal_id(self.user, post.chat, MessageId(post.message), 0)
        reading = Signal(
            side=post.side,
            symbol=post.symbol,
            order=post.order,
            entry=PriceRange.of(Price.of(post.entry[0]), Price.of(post.entry[-1]))
            if post.entry
            else None,
            stop=price(post.stop),
            targets=tuple(price(target) for target in post.targets),
            spans=spans_of(post),
        )
        record = SignalRecord(
            signal_id=one,
            chat=post.chat,
            message=MessageId(post.message),
            part=0,
            entry_rev=key.rev,
            reading=reading,
            posted_at=posted,
            decided_at=at,
            outcome=None if post.legs else post.outcome,
            reason=post.reason,
        )
        total = sum((Decimal(leg.lots) for leg in post.legs), Decimal(0))
        copy = Copy(
            signal=one,
            account=ACCOUNT,
            plan={"currency": "USD", "lots": str(total)},
            fresh_until=None,
            lots=Lots(total),
            budget=Decimal("93.20") if post.legs else Decimal(0),
            outcome=post.outcome,
            reason=post.reason,
            settled_at=at,
        )
        made = [self._leg(post, one, number, leg) for number, leg in enumerate(post.legs, 1)]
        decision = Decision(
            key=key,
            reason=post.reason,
            signals=(record,),
            copies=(copy,),
            trades=tuple(trade for trade, _ in made),
            intents=tuple(intent for _, intent in made),
            trace=self._trace(post, at),
        )
        await self.mine.journal.decide(decision, self.epoch)
        return one

    def _leg(self, post: Post, signal: SignalId, number: int, leg: Leg) -> tuple[Trade, Intent]:
        one = trade_id(self.user, ACCOUNT, signal, number)
        sent = self.now - timedelta(seconds=post.ago - 0.26)
        settled = sent + timedelta(seconds=post.took + number * 0.07)
        is_open = leg.state in (TradeState.OPEN, TradeState.CLOSED)
        ticket = f"5{abs(hash_of(one)) % 10_000_000:07d}"
        is_known = leg.intent is IntentState.ACCEPTED
        trade = Trade(
            trade_id=one,
            account=ACCOUNT,
            signal=signal,
            leg=number,
            client_id=client_id(INSTALLATION, one, "E0"),
            magic=1_600_000_001,
            symbol=post.symbol,
            side=post.side,
            state=leg.state,
            volume=Lots.of(leg.lots),
            volume_open=Lots.of(leg.lots if leg.state is TradeState.OPEN else "0"),
            open_price=price(leg.fill) if is_open else None,
            stop_loss=price(leg.stop_now or post.stop),
            take_profit=price(leg.target),
            close_price=price(leg.close),
            profit=None if leg.profit is None or leg.close is None else Decimal(leg.profit),
            commission=Decimal("-0.21") if leg.close else None,
            swap=Decimal(0) if leg.close else None,
            position_id=ticket if is_open else None,
            order_id=ticket if leg.state is TradeState.PENDING else None,
            opened_at=settled if is_open else None,
            closed_at=self.now - timedelta(seconds=post.ago / 2) if leg.close else None,
            close_reason="take_profit" if leg.close else None,
        )
        intent = Intent(
            intent_id=intent_id(self.user, ACCOUNT, one, Action.OPEN, "entry"),
            account=ACCOUNT,
            trade=one,
            cause="entry",
            client_id=trade.client_id,
            command=OpenLeg(
                symbol=post.symbol,
                side=post.side,
                kind=post.order or OrderKind.MARKET,
                lots=Lots.of(leg.lots),
                price=price(post.entry[0]) if post.order else None,
                stop_loss=price(post.stop),
                take_profit=price(leg.target),
                magic=1_600_000_001,
            ),
            state=leg.intent,
            created_at=sent,
            attempt=1,
            sending_at=sent,
            settled_at=settled if leg.intent.is_final else None,
            position_id=ticket if is_open and is_known else None,
            order_id=ticket if leg.state is TradeState.PENDING else None,
            reason=leg.reason,
            evidence="reply TRADE_RETCODE_DONE" if is_known else None,
        )
        self._show(trade, leg, post)
        return trade, intent

    def _show(self, trade: Trade, leg: Leg, post: Post) -> None:
        if trade.state is TradeState.OPEN and trade.position_id and trade.open_price:
            profit = Decimal(leg.profit or "0")
            moved = profit / trade.volume.value / CONTRACT.get(post.symbol, 1) * trade.side.sign
            self.positions.append(
                Position(
                    position_id=trade.position_id,
                    symbol=trade.symbol,
                    side=trade.side,
                    lots=trade.volume,
                    open_price=trade.open_price,
                    current_price=Price(
                        (trade.open_price.value + moved).quantize(trade.open_price.value)
                    ),
                    stop_loss=trade.stop_loss,
                    take_profit=trade.take_profit,
                    profit=profit,
                    swap=Decimal(0),
                    commission=Decimal("-0.21"),
                    magic=trade.magic,
                    client_id=trade.client_id,
                    opened_at=trade.opened_at or self.now,
                )
            )
        if trade.state is TradeState.PENDING and trade.order_id:
            self.orders.append(
                WorkingOrder(
                    order_id=trade.order_id,
                    symbol=trade.symbol,
                    side=trade.side,
                    kind=post.order or OrderKind.LIMIT,
                    lots=trade.volume,
                    price=Price.of(post.entry[0]),
                    stop_loss=trade.stop_loss,
                    take_profit=trade.take_profit,
                    magic=trade.magic,
                    client_id=trade.client_id,
                    placed_at=self.now - timedelta(seconds=post.ago),
                )
            )

    def _received(self, at: datetime) -> TraceStep:
        return TraceStep(
            stage="received",
            at=at - timedelta(milliseconds=30),
            facts={"via": "LIVE", "delay_s": "0.210"},
        )

    def _trace(self, post: Post, at: datetime) -> tuple[TraceStep, ...]:
        reading = {
            "kind": "open",
            "text": f"{post.side.value} {post.symbol} stop {post.stop}",
            "spans": [
                {"field": one.field, "start": one.start, "end": one.end} for one in spans_of(post)
            ],
            "confidence": 100,
            "issues": [],
        }
        checks = [dict(one) for one in PASSED]
        if post.failed is not None:
            checks.append(post.failed)
        place = {"account": ACCOUNT, "part": 0}
        steps = [
            self._received(at),
            TraceStep(
                stage="read",
                at=at,
                facts={"result": "parsed", "reasons": [], "readings": [reading]},
            ),
            TraceStep(stage="checked", at=at, facts={**place, "checks": checks}),
        ]
        if post.legs:
            lots = sum((Decimal(leg.lots) for leg in post.legs), Decimal(0))
            sizing = {
                "currency": "USD",
                "asked_percent": "1.00",
                "asked_money": "104.82",
                "got_percent": "0.89",
                "got_money": "93.20",
                "loss_per_lot": "1047.00",
                "lots_exact": "0.1001",
                "lots": str(lots),
                "legs": [
                    {"leg": number, "lots": leg.lots, "target": leg.target}
                    for number, leg in enumerate(post.legs, 1)
                ],
                "caps": [],
            }
            steps.append(TraceStep(stage="sized", at=at, facts={**place, **sizing}))
        decided: dict[str, object] = {
            "outcome": "copied" if post.legs else "skipped",
            "reason": post.reason,
            "detail": post.detail,
            "legs": [],
        }
        steps.append(TraceStep(stage="decided", at=at, facts={**place, **decided}))
        return tuple(steps)

    async def follow(
        self,
        chat: ChannelId,
        message: int,
        text: str,
        ago: float,
        *,
        reply_to: int,
        signal: SignalId,
        stop: str,
    ) -> None:
        """An answer that moves the stops of a signal's open trades."""
        key = await self.receive(chat, message, text, ago, reply_to=reply_to)
        at = self.now - timedelta(seconds=ago - 0.3)
        trades = await self.mine.journal.trades_of_signals([signal])
        live = [trade for trade in trades if trade.state is TradeState.OPEN]
        intents = tuple(
            self._protect(
                trade, ProtectLeg(stop_loss=Price.of(stop), take_profit=trade.take_profit), at
            )
            for trade in live
        )
        reading = {
            "kind": "break_even",
            "text": "stop to break-even",
            "spans": [{"field": "BreakEven", "start": 0, "end": len(text)}],
            "confidence": 95,
            "issues": [],
        }
        followed = {
            "account": ACCOUNT,
            "action": "break_even",
            "reason": None,
            "intents": [
                {
                    "intent": one.intent_id,
                    "trade": one.trade,
                    "action": "PROTECT",
                    "text": f"break-even: stop to {stop}",
                }
                for one in intents
            ],
            "notes": [],
        }
        trace = (
            self._received(at),
            TraceStep(
                stage="read",
                at=at,
                facts={"result": "parsed", "reasons": [], "readings": [reading]},
            ),
            TraceStep(stage="followed", at=at, facts=followed),
        )
        decision = Decision(key=key, reason=None, intents=intents, trace=trace)
        await self.mine.journal.decide(decision, self.epoch)

    def _protect(self, trade: Trade, command: Command, at: datetime) -> Intent:
        return Intent(
            intent_id=intent_id(
                self.user, ACCOUNT, trade.trade_id, Action.PROTECT, f"msg:{GOLD}:72:0:0"
            ),
            account=ACCOUNT,
            trade=trade.trade_id,
            cause=f"msg:{GOLD}:72:0:0",
            client_id=client_id(INSTALLATION, trade.trade_id, "P0"),
            command=command,
            state=IntentState.ACCEPTED,
            created_at=at,
            sending_at=at,
            settled_at=at + timedelta(seconds=0.31),
            evidence="reply TRADE_RETCODE_DONE",
        )

    async def show_account(self, *, seen_ago: float = 1.0, connected: bool = True) -> None:
        profit = sum((one.profit for one in self.positions), Decimal(0))
        balance = Decimal("10390.95")
        margin = Decimal("412.60") if self.positions else Decimal(0)
        seen = self.now - timedelta(seconds=seen_ago)
        facts = AccountFacts(
            currency="USD",
            balance=balance,
            equity=balance + profit,
            margin=margin,
            free_margin=balance + profit - margin,
            leverage=100,
            trade_allowed=True,
            investor=False,
            connected=connected,
            margin_mode="hedging",
            is_real=False,
            broker="Simulated Markets",
            server="Simulated-Demo",
            read_at=seen,
        )
        view = AccountView(
            facts=facts,
            positions=tuple(self.positions),
            orders=tuple(self.orders),
            seen_at=seen,
        )
        await self.mine.accounts.put_view(ACCOUNT, view, self.epoch)

    async def settle(self, settlement: Settlement) -> None:
        await self.mine.journal.settle(settlement, self.epoch)


def hash_of(text: str) -> int:
    """A number that is the same in every run."""
    return int.from_bytes(text.encode()[:6], "big")


def spans_of(post: Post) -> tuple[Span, ...]:
    """Find the values in the text, in order."""
    found: list[Span] = []
    wanted: Sequence[tuple[str, str]] = [
        ("side", post.side.value.upper()),
        ("symbol", "GOLD" if "GOLD" in post.text else post.symbol),
        *(("entry", one) for one in dict.fromkeys(post.entry)),
        *((("stop", post.stop),) if post.stop else ()),
        *(("target", one) for one in post.targets),
    ]
    for name, text in wanted:
        start = post.text.find(text)
        if start >= 0:
            found.append(Span(start=start, end=start + len(text), field=name))
    return tuple(found)


PASSED: Sequence[dict[str, object]] = tuple(
    {
        "name": name,
        "value": value,
        "limit": limit,
        "source": source,
        "passed": True,
        "code": code,
    }
    for name, value, limit, source, code in (
        ("copying", "on", "", "", "halted"),
        ("connection", "yes", "", "", "account_not_ready"),
        ("age", "0.4 s", "45 s", "product default", "too_old"),
        ("repeat", "none", "240 min", "product default", "repeat_of"),
        ("levels", "on the right sides", "", "", "stop_wrong_side"),
        ("open trades", "3", "10", "your settings", "max_open"),
        ("quote age", "0.2 s", "10 s", "product default", "stale_quote"),
        ("open risk", "2.10 %", "5 %", "your settings", "open_risk"),
    )
)

SPREAD = {
    "name": "spread",
    "value": "22.4 % of the stop distance",
    "limit": "15 %",
    "source": "channel FX Morning Desk",
    "passed": False,
    "code": "spread",
}
GOLD_TEXT = (
    "GOLD BUY NOW 2650.4\n\nSL 2643\nTP1 2655\nTP2 2662\nTP3 2670\n\nUse proper money management"
)


async def a_full_day(store: Store, now: datetime, user: UserId = USER) -> Scene:
    """Seed one user with what a good day looks like."""
    scene = Scene(store=store, now=now, user=user)
    await scene.begin()
    await scene.channel(GOLD, "Gold Room VIP")
    await scene.channel(DESK, "FX Morning Desk")
    await scene.channel(INDEX, "Index Scalps")
    await scene.bot(BotState.RUNNING, ago=4_210)
    await scene.nothing(
        DESK,
        40,
        "Good morning traders! Big week ahead, CPI on Wednesday.",
        8_400,
        "news_or_analysis",
    )
    await scene.signal(
        Post(
            chat=DESK,
            message=41,
            ago=7_900,
            side=Side.SELL,
            symbol="EURUSD",
            text="SELL EURUSD 1.08420\nStop loss 1.08720\nTake profit 1.08120 / 1.07800",
            entry=("1.08420",),
            stop="1.08720",
            targets=("1.08120", "1.07800"),
            legs=(
                Leg(lots="0.15", target="1.08120", fill="1.08418", profit="-23.40"),
                Leg(lots="0.15", target="1.07800", fill="1.08419", profit="-23.25"),
            ),
            took=0.38,
        )
    )
    await scene.nothing(
        GOLD, 70, "JOIN OUR VIP! 92% win rate, limited seats. DM @goldking now", 6_900, "advert"
    )
    await scene.signal(
        Post(
            chat=DESK,
            message=42,
            ago=5_100,
            side=Side.BUY,
            symbol="GBPJPY",
            text="BUY GBPJPY 191.250\nSL 191.050\nTP 191.900",
            entry=("191.250",),
            stop="191.050",
            targets=("191.900",),
            outcome=CopyOutcome.SKIPPED,
            reason="spread",
            failed=SPREAD,
            detail="spread 22.4 % of the stop distance, limit 15 %",
        )
    )
    await scene.signal(
        Post(
            chat=DESK,
            message=43,
            ago=3_300,
            side=Side.BUY,
            symbol="GBPUSD",
            order=OrderKind.LIMIT,
            text="GBPUSD BUY LIMIT 1.25800, SL 1.25450, TP 1.26300",
            entry=("1.25800",),
            stop="1.25450",
            targets=("1.26300",),
            legs=(Leg(lots="0.26", target="1.26300", state=TradeState.PENDING),),
            outcome=CopyOutcome.WORKING,
            took=0.29,
        )
    )
    gold = await scene.signal(
        Post(
            chat=GOLD,
            message=71,
            ago=1_860,
            text=GOLD_TEXT,
            entry=("2650.4",),
            stop="2643",
            targets=("2655", "2662", "2670"),
            legs=(
                Leg(
                    lots="0.04",
                    target="2655",
                    fill="2650.52",
                    close="2655.00",
                    profit="17.92",
                    state=TradeState.CLOSED,
                ),
                Leg(lots="0.04", target="2662", fill="2650.52", stop_now="2650.52", profit="27.28"),
                Leg(lots="0.04", target="2670", fill="2650.55", stop_now="2650.55", profit="27.16"),
            ),
        )
    )
    await scene.follow(
        GOLD, 72, "TP1 hit, move SL to BE", 900, reply_to=71, signal=gold, stop="2650.52"
    )
    await scene.nothing(INDEX, 12, "Anyone still in NAS100 from yesterday?", 640, "question")
    await scene.signal(
        Post(
            chat=INDEX,
            message=13,
            ago=420,
            side=Side.SELL,
            symbol="NAS100",
            text="NAS100 SELL 18250 SL 18310 TP 18130",
            entry=("18250",),
            stop="18310",
            targets=("18130",),
            outcome=CopyOutcome.EXPIRED,
            reason="too_old",
            failed={
                "name": "age",
                "value": "71.3 s",
                "limit": "45 s",
                "source": "product default",
                "passed": False,
                "code": "too_old",
            },
        )
    )
    await scene.nothing(INDEX, 14, "Buy or sell NAS100 here, what do you think", 300, "two_sides")
    await scene.nothing(
        GOLD, 73, "Gold looking strong into the close, stay tuned", 60, "future_plan"
    )
    await scene.show_account()
    return scene
