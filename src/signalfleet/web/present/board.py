"""The Live page's panels: which facts each shows, read once for all panels that are asked."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.store import BotStatus, UserProfile, UserStore
from signalfleet.web.present.accounts import (
    AccountBoard,
    UnknownRow,
    load_accounts,
    load_book,
    unknown_rows,
)
from signalfleet.web.present.detail import Detail, load_detail
from signalfleet.web.present.formats import Moment, Times
from signalfleet.web.present.messages import (
    DayCount,
    MessageRow,
    channel_names,
    count_day,
    load_facts,
    message_row,
)
from signalfleet.web.present.words import Words

LAST_MESSAGES: Final = 12
GOOD_STATES: Final = frozenset({BotState.RUNNING})
BUSY_STATES: Final = frozenset({BotState.QUEUED, BotState.STARTING, BotState.RETRYING})


class Panel(StrEnum):
    """Parts of the page that change by themselves; the values are also names of live events."""

    LINKS = "links"
    UNKNOWN = "unknown"
    STRIP = "strip"
    TODAY = "today"
    POSITIONS = "positions"
    SIGNALS = "signals"
    NEWEST = "newest"
    BELL = "bell"


OF_ACCOUNT: Final = frozenset({Panel.LINKS, Panel.UNKNOWN, Panel.STRIP, Panel.POSITIONS})
OF_MESSAGES: Final = frozenset({Panel.SIGNALS, Panel.NEWEST})


@dataclass(frozen=True, slots=True, kw_only=True)
class BotLine:
    """The bot's state in words, with its age and what it means."""

    label: str
    tone: str
    since: Moment | None
    age: str
    detail: str
    retry_at: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    times: Times
    status: BotStatus
    bot: BotLine
    accounts: tuple[AccountBoard, ...] = ()
    unknown: tuple[UnknownRow, ...] = ()
    day: DayCount | None = None
    rows: tuple[MessageRow, ...] = ()
    newest: Detail | None = None
    unread: int = 0

    @property
    def main(self) -> AccountBoard | None:
        return self.accounts[0] if self.accounts else None

    @property
    def open_count(self) -> int:
        return sum(len(one.positions) for one in self.accounts)


async def read_board(
    store: UserStore,
    profile: UserProfile,
    now: datetime,
    words: Words,
    panels: Collection[Panel],
) -> Board:
    """Read what the panels need, and nothing that only other panels need."""
    times = Times(profile.timezone, now)
    status = await store.bot.status()
    bot = bot_line(status, times, words)
    channels = await channel_names(store)
    accounts: tuple[AccountBoard, ...] = ()
    unknown: tuple[UnknownRow, ...] = ()
    rows: tuple[MessageRow, ...] = ()
    newest = None
    if OF_ACCOUNT & set(panels):
        book = await load_book(store, channels)
        accounts = await load_accounts(store, book, times, words)
        unknown = unknown_rows(await store.journal.open_intents(), book, times)
    if OF_MESSAGES & set(panels):
        facts = await load_facts(store, LAST_MESSAGES)
        rows = tuple(message_row(one, channels, times, words) for one in facts)
    if Panel.NEWEST in panels:
        newest = await _newest_signal(store, channels, times, words)
    day = await count_day(store, times) if Panel.TODAY in panels else None
    return Board(
        times=times,
        status=status,
        bot=bot,
        accounts=accounts,
        unknown=unknown,
        day=day,
        unread=await store.notices.unread() if Panel.BELL in panels else 0,
        rows=rows,
        newest=newest,
    )


async def _newest_signal(
    store: UserStore, channels: Mapping[ChannelId, str], times: Times, words: Words
) -> Detail | None:
    signals = await store.journal.recent_signals(limit=1)
    if not signals:
        return None
    chat, message = signals[0].chat, signals[0].message
    return await load_detail(store, chat, message, channels, times, words)


def bot_line(status: BotStatus, times: Times, words: Words) -> BotLine:
    """Say how the link to Telegram is, with its age: a dead listener must not look alive."""
    state = status.state
    tone = "good" if state in GOOD_STATES else "busy" if state in BUSY_STATES else "warn"
    detail = words.say("bot_detail", state.value)
    # A crash is named by its error, which says nothing to the user.
    code, _, place = (status.reason or "").partition(":")
    if words.has("bot_reason", code):
        detail = f"{words.say('bot_reason', code, {'place': place})} {detail}"
    return BotLine(
        label=words.say("bot", state.value),
        tone="quiet" if state is BotState.OFF else tone,
        since=times.at(status.since) if status.since else None,
        age=times.age(status.since) if status.since else "",
        detail=detail,
        retry_at=times.at(status.retry_at) if status.retry_at else None,
    )
