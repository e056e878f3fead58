"""Rows for stores: a post, what is decided on it, and everything one user can see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.accounts.audit import AuditEntry
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.domain.ids import (
    AccountId,
    ChannelId,
    ClientId,
    InstallationId,
    IntentId,
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
from signalfleet.domain.trading.intents import Intent, IntentState, OpenLeg
from signalfleet.domain.trading.records import (
    Copy,
    CopyOutcome,
    Decision,
    MessageKey,
    SignalRecord,
    TraceStep,
    Trade,
    TradeState,
)
from signalfleet.domain.trading.reports import AccountFacts, Position, WorkingOrder
from signalfleet.ports.chat_source import ChatBatch, Origin, Posted
from signalfleet.ports.sealed import SealedSecret, WrappedKey
from signalfleet.ports.store import (
    Account,
    AccountView,
    Channel,
    Store,
    UserProfile,
    UserStore,
)

NOW = datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC)
CELL = "c1"
CHAT = ChannelId(-1001234567890)
ACCOUNT = AccountId("a_paper1")
OTHER_ACCOUNT = AccountId("a_paper2")
INSTALLATION = InstallationId("in_7f3c")
ME = UserId("u_mfrggzdfmztwq2lk")


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_profile(user: UserId, telegram_id: int | None = None, name: str = "Ann") -> UserProfile:
    return UserProfile(
        user_id=user,
        telegram_id=telegram_id,
        display_name=name,
        tier="FREE",
        timezone="Europe/Berlin",
        slot=slot(user),
    )


def a_post(
    message: int = 1,
    text: str = "BUY GOLD 2350 SL 2340 TP 2360",
    *,
    edited: float | None = None,
    chat: ChannelId = CHAT,
) -> ChannelMessage:
    return ChannelMessage(
        channel=chat,
        message=MessageId(message),
        text=text,
        posted_at=after(message),
        edited_at=None if edited is None else after(edited),
        struck=(Span(start=0, end=3, field="side"),),
        reply_to=MessageId(7),
        topic=3,
        forwarded=True,
        has_media=True,
        media="photo",
    )


def a_batch(
    *messages: ChannelMessage,
    origin: Origin = Origin.LIVE,
    checkpoint: int | None = None,
    pts_seen: int | None = None,
) -> ChatBatch:
    return ChatBatch(
        chat=messages[0].channel if messages else CHAT,
        origin=origin,
        items=tuple(Posted(message=message) for message in messages),
        checkpoint=checkpoint,
        pts_seen=pts_seen,
    )


def key(message: int = 1, rev: int = 0, chat: ChannelId = CHAT) -> MessageKey:
    return MessageKey(chat=chat, message=MessageId(message), rev=rev)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Builds the rows of one user with the ids that the product would derive."""

    user: UserId
    note: str = ""

    def signal_id(self, message: int = 1, part: int = 0) -> SignalId:
        return signal_id(self.user, CHAT, MessageId(message), part)

    def signal(self, message: int = 1, part: int = 0, entry_rev: int = 0) -> SignalRecord:
        return SignalRecord(
            signal_id=self.signal_id(message, part),
            chat=CHAT,
            message=MessageId(message),
            part=part,
            entry_rev=entry_rev,
            reading=Signal(
                side=Side.BUY,
                symbol="XAUUSD",
                order=OrderKind.LIMIT,
                entry=PriceRange.of(Price.of("2350.10"), Price.of("2349")),
                stop=Price.of("2340"),
                targets=(Price.of("2360.50"), None),
                size_word=self.note,
            ),
            posted_at=after(message),
            decided_at=after(message + 1),
        )

    def copy(
        self,
        message: int = 1,
        part: int = 0,
        account: AccountId = ACCOUNT,
        outcome: CopyOutcome | None = None,
        reason: str | None = None,
    ) -> Copy:
        return Copy(
            signal=self.signal_id(message, part),
            account=account,
            plan={"lots": "0.10", "legs": [{"leg": 1}], "note": self.note},
            fresh_until=after(45),
            lots=Lots.of("0.10"),
            budget=Decimal("12.50"),
            outcome=outcome,
            reason=reason,
            settled_at=after(60) if outcome else None,
        )

    def trade(
        self,
        message: int = 1,
        leg: int = 1,
        account: AccountId = ACCOUNT,
        state: TradeState = TradeState.OPENING,
        part: int = 0,
    ) -> Trade:
        trade = trade_id(self.user, account, self.signal_id(message, part), leg)
        return Trade(
            trade_id=trade,
            account=account,
            signal=self.signal_id(message, part),
            leg=leg,
            client_id=client_id(INSTALLATION, trade, "E0"),
            magic=1_645_231_676,
            symbol="XAUUSD",
            side=Side.BUY,
            state=state,
            volume=Lots.of("0.05"),
            stop_loss=Price.of("2340"),
            take_profit=Price.of("2360.50"),
            close_reason=self.note or None,
        )

    def intent(
        self,
        trade: Trade,
        state: IntentState = IntentState.SENDING,
        cause: str = "entry",
    ) -> Intent:
        return Intent(
            intent_id=IntentId(intent_id(self.user, trade.account, trade.trade_id, "OPEN", cause)),
            account=trade.account,
            trade=trade.trade_id,
            cause=cause,
            client_id=ClientId(trade.client_id),
            command=OpenLeg(
                symbol=trade.symbol,
                side=trade.side,
                kind=OrderKind.LIMIT,
                lots=trade.volume,
                price=Price.of("2350.1"),
                stop_loss=trade.stop_loss,
                take_profit=trade.take_profit,
                magic=trade.magic,
                expires_at=after(86_400),
            ),
            state=state,
            created_at=after(2 + trade.leg),
            attempt=1,
            valid_until=after(45),
            sending_at=after(3),
            reason=self.note or None,
        )

    def decision(self, message: int = 1, rev: int = 0, legs: int = 2) -> Decision:
        """A signal with one copy and `legs` trades that are being sent."""
        trades = tuple(self.trade(message, leg) for leg in range(1, legs + 1))
        return Decision(
            key=key(message, rev),
            reason=None,
            signals=(self.signal(message, entry_rev=rev),),
            copies=(self.copy(message),),
            trades=trades,
            intents=tuple(self.intent(trade) for trade in trades),
            trace=(
                TraceStep(stage="received", at=after(1), facts={"via": "LIVE", "delay_s": 1}),
                TraceStep(stage="sized", at=after(2), facts={"lots": "0.10", "note": self.note}),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Two users of one store, both owned by this worker under `epoch`."""

    store: Store
    epoch: int
    user: UserId = ME

    @property
    def mine(self) -> UserStore:
        return self.store.user(self.user)

    @property
    def rows(self) -> Rows:
        return Rows(user=self.user)

    async def claim_mine(self) -> int:
        """Take this user's slot under a newer epoch, as another worker would."""
        return await claim_slots(self.store.fleet, CELL, [a_profile(self.user).slot], "w2")


def a_channel(title: str = "Gold Room", version: int = 0, chat: ChannelId = CHAT) -> Channel:
    return Channel(
        chat=chat,
        kind="channel",
        title=title,
        access_hash=2**62,
        is_protected=True,
        version=version,
    )


def an_account(account: AccountId = ACCOUNT, version: int = 0, server: str = "Demo") -> Account:
    return Account(
        account_id=account,
        broker="metaapi",
        mode="DEMO",
        metaapi_account_id="m-1",
        region="london",
        server=server,
        login_masked="12***89",
        currency="USD",
        version=version,
    )


def a_view(broker: str = "Demo Broker") -> AccountView:
    return AccountView(
        facts=AccountFacts(
            currency="USD",
            balance=Decimal("1000.10"),
            equity=Decimal("990.00"),
            margin=Decimal(0),
            free_margin=Decimal("990.00"),
            leverage=500,
            trade_allowed=True,
            investor=False,
            connected=True,
            margin_mode="hedging",
            is_real=False,
            broker=broker,
            server="Demo",
            read_at=NOW,
        ),
        positions=(
            Position(
                position_id="p1",
                symbol="XAUUSD",
                side=Side.SELL,
                lots=Lots.of("0.10"),
                open_price=Price.of("2350.10"),
                current_price=None,
                stop_loss=Price.of("2360"),
                take_profit=None,
                profit=Decimal("-1.20"),
                swap=Decimal(0),
                commission=Decimal("-0.70"),
                magic=1,
                client_id="S165_EJIQROFJUNEUDZLA_E0",
                opened_at=NOW,
            ),
        ),
        orders=(
            WorkingOrder(
                order_id="o1",
                symbol="EURUSD",
                side=Side.BUY,
                kind=OrderKind.STOP,
                lots=Lots.of("0.01"),
                price=Price.of("1.0850"),
                stop_loss=None,
                take_profit=None,
                magic=1,
                client_id=None,
                placed_at=NOW,
            ),
        ),
        seen_at=after(1),
    )


def a_notice(
    kind: NoticeKind = NoticeKind.CHAT_LOST, *, at: float = 0, about: str = "", fact: str = ""
) -> Notice:
    """Tell of the usual chat, if nothing else is said."""
    return Notice(
        kind=kind, at=after(at), about=about or f"chat:{CHAT}", facts={"note": fact} if fact else {}
    )


async def fill(store: Store, user: UserId, epoch: int, note: str) -> None:
    """Give a user one row of every kind, each marked with `note`."""
    rows = Rows(user=user, note=note)
    mine = store.user(user)
    await mine.channels.put(a_channel(title=note))
    await mine.accounts.put(an_account(server=note))
    await mine.accounts.put_view(ACCOUNT, a_view(broker=note), epoch)
    await mine.settings.put("user", {"note": note}, 0)
    await mine.credentials.add_key(WrappedKey(key_version=1, kek_id="00", wrapped=note))
    await mine.credentials.put(
        SealedSecret(
            field="metaapi_token", key_version=1, algorithm="A256GCM", nonce="n", ciphertext=note
        )
    )
    await mine.bot.set_wish(on=True, by=note)
    await mine.notices.add(a_notice(fact=note))
    # So old that Firebase's rules, which go by the clock of the service, let it be swept away.
    old = NOW - timedelta(days=1000)
    await mine.events.add(AuditEntry(at=old, actor="user", action="filled", about=note))
    await mine.quota.reserve("trades", "2026-03-02", 5)
    await mine.inbox.add(a_batch(a_post(1, note), a_post(2, note)), NOW, epoch)
    await mine.journal.decide(rows.decision(1), epoch)


async def everything(mine: UserStore, user: UserId) -> Mapping[str, object]:
    """Read all that one user can see of the things that `fill` makes."""
    rows = Rows(user=user)
    signal = rows.signal_id(1)
    trades = [rows.trade(1, leg) for leg in (1, 2)]
    intents = [rows.intent(trade).intent_id for trade in trades]
    journal = mine.journal
    return {
        "unread": await mine.inbox.unread(),
        "revisions": await mine.inbox.revisions(CHAT, MessageId(1)),
        "protective": await mine.inbox.protective(),
        "recent": await mine.inbox.recent(),
        "open_intents": await journal.open_intents(),
        "intents": await journal.get_intents(intents),
        "intents_of_trades": await journal.intents_of_trades([one.trade_id for one in trades]),
        "live_trades": await journal.live_trades(),
        "live_trades_of_account": await journal.live_trades(ACCOUNT),
        "trade": await journal.get_trade(trades[0].trade_id),
        "trades_of_signals": await journal.trades_of_signals([signal]),
        "recent_trades": await journal.recent_trades(),
        "signal": await journal.get_signal(signal),
        "signals_of_message": await journal.signals_of_message(CHAT, MessageId(1)),
        "recent_signals": await journal.recent_signals(),
        "recent_signals_of_chat": await journal.recent_signals(CHAT),
        "copies": await journal.copies_of_signals([signal]),
        "trace": await journal.trace(key(1)),
        "channels": await mine.channels.list(),
        "channel": await mine.channels.get(CHAT),
        "accounts": await mine.accounts.list(),
        "account": await mine.accounts.get(ACCOUNT),
        "view": await mine.accounts.view(ACCOUNT),
        "settings": await mine.settings.get("user"),
        "credential": await mine.credentials.get("metaapi_token"),
        "newest_key": await mine.credentials.key(),
        "key": await mine.credentials.key(1),
        "bot": await mine.bot.status(),
        "documents": await mine.settings.list(),
        "sealed": await mine.credentials.list(),
        "keys": await mine.credentials.keys(),
        "events": await mine.events.list(),
        "newest_events": await mine.events.recent(),
        "quota": await mine.quota.used("trades", "2026-03-02"),
        "notices": await mine.notices.recent(),
        "unread_notices": await mine.notices.unread(),
    }
