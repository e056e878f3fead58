"""Notice when a channel changes how it writes, before its signals are misread."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from signalfleet.domain.signals.facts import BREAK, NUM, UNKNOWN, Facts

RECENT: Final = 20
NEW_LAYOUTS: Final = 5
NEW_LAYOUTS_LIMIT: Final = 3
CONFIDENCES: Final = 50
UNREAD_LIMIT: Final = 0.3
CONFIDENCE_FALL: Final = 15
MIN_PRICES: Final = 2
LETTERS: Final = 8
MAX_LAYOUTS: Final = 200
DECORATION: Final = frozenset({"filler", "link", "moment", "bullet"})


def fingerprint(facts: Facts) -> str:
    """Hash the layout of a message: what stands where, not which symbol or number."""
    shape: list[str] = []
    for item in facts.items:
        role = item.role
        if role in DECORATION:
            continue
        if role == UNKNOWN:
            role = "word"
        if role in {BREAK, "word", NUM} and shape and shape[-1] == role:
            continue
        shape.append("side" if role in {"buy", "sell"} else role)
    return hashlib.blake2b(" ".join(shape).encode(), digest_size=LETTERS).hexdigest()


def looks_like_signal(facts: Facts) -> bool:
    """Tell whether a text has what a signal has: a symbol and at least two prices."""
    numbers = sum(not item.unit for item in facts.numbers)
    return "symbol" in facts.roles and numbers >= MIN_PRICES


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One signal-like message: its layout, whether it was read, and how surely."""

    layout: str
    was_read: bool
    confidence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHabit:
    """The running counts of one channel, newest last.

    `layouts` gives for each layout the number of the message that brought it first, the one seen
    longest ago first. `alarm` is the number of the message at which the habits had changed; it
    stays until the user has looked (`checked`).
    """

    layouts: Mapping[str, int] = field(default_factory=dict)
    recent: tuple[Seen, ...] = ()
    fresh: tuple[bool, ...] = ()
    confidences: tuple[int, ...] = ()
    total: int = 0
    unread: int = 0
    alarm: int | None = None
    checked_at: int = 0

    def after(self, seen: Seen) -> "ChannelHabit":
        """Return the counts with one more signal-like message."""
        number = self.total + 1
        layouts = dict(self.layouts)
        layouts[seen.layout] = layouts.pop(seen.layout, number)
        if len(layouts) > MAX_LAYOUTS:
            layouts.pop(next(iter(layouts)))
        confidences = self.confidences
        if seen.was_read:
            confidences = (*confidences, seen.confidence)[-CONFIDENCES - NEW_LAYOUTS :]
        counted = replace(
            self,
            layouts=layouts,
            recent=(*self.recent, seen)[-RECENT:],
            fresh=(*self.fresh, seen.layout not in self.layouts)[-NEW_LAYOUTS:],
            confidences=confidences,
            total=number,
            unread=self.unread + (not seen.was_read),
        )
        if counted.alarm is None and counted.has_drifted:
            return replace(counted, alarm=number)
        return counted

    def checked(self, at: int) -> "ChannelHabit":
        """Return the counts after the user has looked at the messages up to number `at`."""
        if at <= self.checked_at:
            return self
        return replace(self, recent=(), fresh=(), confidences=(), alarm=None, checked_at=at)

    def is_strange(self, layout: str) -> bool:
        """Tell whether an open of this layout should wait: it came with the change, or later."""
        if self.alarm is None:
            return False
        return self.layouts.get(layout, self.alarm) > self.alarm - RECENT

    @property
    def has_drifted(self) -> bool:
        """Tell whether the last messages differ from the channel's habits."""
        if self.total <= RECENT or not self.recent:
            return False
        return self._is_unread() or self._is_new() or self._is_unsure()

    def _is_unread(self) -> bool:
        if len(self.recent) < RECENT:
            return False
        missed = sum(not seen.was_read for seen in self.recent)
        share = missed / len(self.recent)
        return share > UNREAD_LIMIT and share > 2 * self.unread / self.total

    def _is_new(self) -> bool:
        return sum(self.fresh) >= NEW_LAYOUTS_LIMIT

    def _is_unsure(self) -> bool:
        before, last = self.confidences[:-NEW_LAYOUTS], self.confidences[-NEW_LAYOUTS:]
        if len(before) < RECENT:
            return False
        return sum(before) / len(before) - sum(last) / len(last) >= CONFIDENCE_FALL
