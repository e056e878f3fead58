"""Stored notices as sentences, with where to go from there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from signalfleet.domain.accounts.notices import Notice, NoticeKind, NoticeLevel
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.notices import StoredNotice
from signalfleet.ports.store import UserStore
from signalfleet.web.present.formats import Moment, Times, one_line
from signalfleet.web.present.messages import channel_names
from signalfleet.web.present.words import Words

SHOWN: Final = 100
FACT_CHARS: Final = 80
REFUSAL_CHARS: Final = 400
_TONES: Final[Mapping[NoticeLevel, str]] = {
    NoticeLevel.MONEY: "warn",
    NoticeLevel.ATTENTION: "busy",
    NoticeLevel.INFO: "quiet",
}
_SIGN_IN: Final = frozenset({NoticeKind.TELEGRAM_SIGN_IN_NEEDED})
_TRADING: Final = frozenset({NoticeKind.TRADE_REFUSED, NoticeKind.FOLLOW_UP_NOT_APPLIED})
_TARGETS: Final = frozenset({NoticeKind.TARGET_GONE, NoticeKind.MESSENGER_AWAY})
_ASKS: Final = frozenset({NoticeKind.TRADE_HELD})
_CHOOSE: Final = frozenset({NoticeKind.CHAT_LOST, NoticeKind.CHAT_MOVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    number: int
    level: str
    tone: str
    sentence: str
    at: Moment
    is_new: bool
    address: str
    link: str


async def load_notices(store: UserStore, times: Times, words: Words) -> tuple[NoticeRow, ...]:
    """Read the newest notices, newest first."""
    return await notice_rows(store, await store.notices.recent(SHOWN), times, words)


async def notice_rows(
    store: UserStore, stored: Sequence[StoredNotice], times: Times, words: Words
) -> tuple[NoticeRow, ...]:
    """Put notices in words, in the order given."""
    channels = await channel_names(store)
    return tuple(_row(one, channels, times, words) for one in stored)


def _row(
    stored: StoredNotice, channels: Mapping[ChannelId, str], times: Times, words: Words
) -> NoticeRow:
    notice = stored.notice
    values = {
        name: one_line(str(value), FACT_CHARS)
        for name, value in notice.facts.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    }
    if "target" in values:
        values["target"] = words.say("notice_target", values["target"])
    reason = values.get("reason")
    if reason is not None:
        values["why"] = (
            words.reason(reason) if notice.kind in _TRADING else words.say("bot_reason", reason)
        )
    if notice.kind is NoticeKind.DAILY_SUMMARY:
        values["refusals"] = _refusals(notice.facts.get("refusals"), words)
    title = channels.get(_chat_of(notice))
    if title is not None:
        values["channel"] = title
    address, link = _link(notice)
    return NoticeRow(
        number=stored.number,
        level=notice.level.value,
        tone=_TONES[notice.level],
        sentence=words.say("notice", notice.kind.value, values),
        at=times.at(notice.at),
        is_new=stored.read_at is None,
        address=address,
        link=link,
    )


def _refusals(counted: object, words: Words) -> str:
    """Say why signals were not copied, by number and reason."""
    if not isinstance(counted, dict):
        return ""
    said = (f"{number} x {words.reason(str(code))}" for code, number in counted.items())
    return one_line(" ".join(said), REFUSAL_CHARS)


def _chat_of(notice: Notice) -> ChannelId:
    kind, _, rest = notice.about.partition(":")
    named = rest.partition(".")[0] if kind in ("chat", "message") else str(notice.facts.get("chat"))
    try:
        return ChannelId(int(named))
    except ValueError:
        return ChannelId(0)


def _link(notice: Notice) -> tuple[str, str]:
    """Return where a notice leads to, and the words of the link; nowhere is empty."""
    kind, _, rest = notice.about.partition(":")
    if notice.kind in _SIGN_IN:
        return "/connect/telegram", "Connect Telegram"
    if notice.kind in _TARGETS:
        return "/settings/notifications", "See where your notices go"
    if notice.kind in _ASKS:
        return "/asks", "Answer"
    if notice.kind in _CHOOSE:
        return "/connect/telegram/channels", "See your channels"
    match kind:
        case "chat" if notice.kind is NoticeKind.FORMAT_DRIFT:
            return f"/channels/{_chat_of(notice)}", "See how the channel is read"
        case "chat":
            return f"/signals?channel={_chat_of(notice)}", "See its messages"
        case "message":
            _, _, message = rest.partition(".")
            known = message.isdecimal() and _chat_of(notice)
            return (
                (f"/signals/{_chat_of(notice)}/{message}", "See the message") if known else ("", "")
            )
        case "trade" if str(notice.facts.get("signal", "")).isalnum():
            return f"/signals/{notice.facts['signal']}", "See the signal"
        case "signal" if rest.isalnum():
            return f"/signals/{rest}", "See the signal"
        case _:
            return "", ""
