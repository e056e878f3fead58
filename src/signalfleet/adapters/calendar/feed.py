"""Keep the calendar of news: read a file or an address again and again, keep the last good copy."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn

import aiohttp
import structlog

from signalfleet.adapters.calendar.parse import CalendarFormatError, parse_calendar
from signalfleet.domain.risk.facts import NewsView
from signalfleet.ports.clock import Clock

log = structlog.get_logger()

EVERY: Final = timedelta(minutes=30)
AGAIN: Final = timedelta(minutes=2)
LIMIT_BYTES: Final = 4 * 1024 * 1024
ANSWERS_WITHIN_S: Final = 15.0
NO_CALENDAR: Final = NewsView()


class NoCalendar:
    """Stands where the operator gave no calendar."""

    def view(self) -> NewsView:
        return NO_CALENDAR

    async def run(self) -> None:
        """There is nothing to read."""


class CalendarFeed:
    """Reads with `read`, and keeps the last good text in `kept` over restarts.

    Whatever goes wrong with a reading leaves the events known before in force.
    """

    def __init__(self, read: Callable[[], Awaitable[str]], kept: Path, clock: Clock) -> None:
        self._read = read
        self._kept = kept
        self._clock = clock
        self._view = NewsView(is_configured=True)

    def view(self) -> NewsView:
        return self._view

    async def run(self) -> NoReturn:
        """Read on until cancelled."""
        await asyncio.to_thread(self._load_kept)
        while True:
            is_good = await self.renew()
            await self._clock.sleep(EVERY if is_good else AGAIN)

    async def renew(self) -> bool:
        """Read once; True if it was a calendar."""
        had_trouble = self._view.trouble
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                text = await self._read()
            events = parse_calendar(text)
        except CalendarFormatError as error:
            trouble = str(error)
        except (aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError) as error:
            trouble = f"it cannot be read ({type(error).__name__})"
        else:
            now = self._clock.now()
            self._view = NewsView(events=events, read_at=now, is_configured=True)
            await asyncio.to_thread(self._keep, text, now)
            if had_trouble is not None:
                log.info("calendar_readable_again", events=len(events))
            return True
        self._view = replace(self._view, trouble=trouble)
        if had_trouble != trouble:
            log.warning("calendar_unreadable", cause=trouble)
        return False

    def _keep(self, text: str, at: datetime) -> None:
        document = json.dumps({"read_at": at.isoformat(), "text": text})
        part = self._kept.with_suffix(f".{os.getpid()}.part")
        try:
            part.write_text(document, encoding="utf-8")
            part.replace(self._kept)
        except OSError:
            log.warning("calendar_not_kept")

    def _load_kept(self) -> None:
        """Begin with the copy of the last run: its age counts, not the time of the start."""
        try:
            document = json.loads(self._kept.read_text(encoding="utf-8"))
            read_at = datetime.fromisoformat(document["read_at"])
            events = parse_calendar(document["text"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        if read_at.tzinfo is not None and self._view.read_at is None:
            self._view = replace(self._view, events=events, read_at=read_at)


def from_file(path: Path) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        return await asyncio.to_thread(_read_file, path)

    return read


def from_address(url: str) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            answer.raise_for_status()
            body = await answer.content.read(LIMIT_BYTES + 1)
            while len(body) <= LIMIT_BYTES and not answer.content.at_eof():
                body += await answer.content.read(LIMIT_BYTES + 1 - len(body))
        if len(body) > LIMIT_BYTES:
            raise CalendarFormatError(f"it is longer than {LIMIT_BYTES // 1024**2} MiB")
        return body.decode("utf-8")

    return read


def _read_file(path: Path) -> str:
    with path.open("rb") as file:
        body = file.read(LIMIT_BYTES + 1)
    if len(body) > LIMIT_BYTES:
        raise CalendarFormatError(f"it is longer than {LIMIT_BYTES // 1024**2} MiB")
    return body.decode("utf-8")
