"""Watch how each channel writes, and say when its habits have changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog

from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.drift import (
    ChannelHabit,
    Seen,
    fingerprint,
    looks_like_signal,
)
from signalfleet.domain.signals.model import (
    ChannelMessage,
    FollowUp,
    NotASignal,
    Parsed,
    ParseResult,
    Reason,
    Signal,
)
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.signals.profiles import ChannelProfile
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import SettingsDocs

log = structlog.get_logger()

MAX_KEPT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelWatch:
    """A channel's counts, and where and when its habits changed."""

    habit: ChannelHabit = field(default_factory=ChannelHabit)
    changed_by: MessageId | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one message means for the counts. `is_strange`: an open in it waits for the user."""

    chat: ChannelId
    watch: ChannelWatch
    is_counted: bool
    is_strange: bool
    has_just_changed: bool


class LayoutWatch:
    """Keeps the counts of a user's channels; they are written when a message has been decided."""

    def __init__(self, settings: SettingsDocs, parser: Parser) -> None:
        self._settings = settings
        self._parser = parser
        self._kept: dict[ChannelId, tuple[ChannelWatch, int]] = {}

    async def look(
        self,
        message: ChannelMessage,
        result: ParseResult,
        profile: ChannelProfile,
        now: datetime,
    ) -> Look:
        """Compare a message with the channel's habits. Nothing is counted before `keep`."""
        before, _ = await self._of(message.channel)
        habit = before.habit.checked(profile.layouts_at)
        facts = self._parser.facts(message.text, profile)
        is_counted = message.version == 0 and looks_like_signal(facts) and _is_instruction(result)
        layout = fingerprint(facts)
        after = habit.after(_seen(layout, result)) if is_counted else habit
        has_changed = after.alarm is not None and habit.alarm is None
        watch = ChannelWatch(
            habit=after,
            changed_by=message.message if has_changed else before.changed_by,
            changed_at=now if has_changed else before.changed_at,
        )
        return Look(
            chat=message.channel,
            watch=watch,
            is_counted=is_counted,
            is_strange=after.is_strange(layout) and layout not in profile.layouts,
            has_just_changed=has_changed,
        )

    async def keep(self, look: Look) -> None:
        """Count a message that has been decided; one writer per channel, the user's bot."""
        if not look.is_counted:
            return
        _, version = await self._of(look.chat)
        try:
            version = await self._settings.put(scope(look.chat), to_document(look.watch), version)
        except ConflictError:
            # Another worker owns the user by now; its counts are the ones that go on.
            self._kept.pop(look.chat, None)
            log.info("layout_counts_conflicted", chat=look.chat)
            return
        self._kept[look.chat] = (look.watch, version)

    async def _of(self, chat: ChannelId) -> tuple[ChannelWatch, int]:
        kept = self._kept.get(chat)
        if kept is None:
            doc, version = await self._settings.get(scope(chat))
            kept = (from_document(doc), version)
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[chat] = kept
        return kept


def scope(chat: ChannelId) -> str:
    """Name the document of a channel's counts."""
    return f"habit:{chat}"


def to_document(watch: ChannelWatch) -> dict[str, object]:
    habit = watch.habit
    return {
        "layouts": [[layout, number] for layout, number in habit.layouts.items()],
        "recent": [[seen.layout, seen.was_read, seen.confidence] for seen in habit.recent],
        "fresh": list(habit.fresh),
        "confidences": list(habit.confidences),
        "total": habit.total,
        "unread": habit.unread,
        "alarm": habit.alarm,
        "checked_at": habit.checked_at,
        "changed_by": watch.changed_by,
        "changed_at": watch.changed_at.isoformat() if watch.changed_at else None,
    }


def from_document(doc: Mapping[str, Any]) -> ChannelWatch:
    """Read the counts; an absent document is a channel that nobody has watched."""
    if not doc:
        return ChannelWatch()
    changed_by, changed_at = doc["changed_by"], doc["changed_at"]
    return ChannelWatch(
        habit=ChannelHabit(
            layouts={layout: number for layout, number in doc["layouts"]},  # noqa: C416 - JSON rows
            recent=tuple(
                Seen(layout=layout, was_read=was_read, confidence=confidence)
                for layout, was_read, confidence in doc["recent"]
            ),
            fresh=tuple(doc["fresh"]),
            confidences=tuple(doc["confidences"]),
            total=doc["total"],
            unread=doc["unread"],
            alarm=doc["alarm"],
            checked_at=doc["checked_at"],
        ),
        changed_by=None if changed_by is None else MessageId(changed_by),
        changed_at=None if changed_at is None else datetime.fromisoformat(changed_at),
    )


def _is_instruction(result: ParseResult) -> bool:
    """Leave out what the grammar knows to be no instruction: a recap is no unread signal."""
    return not isinstance(result, NotASignal) or result.reasons == (Reason.NO_INSTRUCTION,)


def _seen(layout: str, result: ParseResult) -> Seen:
    if not isinstance(result, Parsed):
        return Seen(layout=layout, was_read=False)
    sure = [one.confidence for one in result.readings if isinstance(one, Signal | FollowUp)]
    return Seen(layout=layout, was_read=True, confidence=min(sure, default=0))
