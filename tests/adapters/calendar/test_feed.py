"""The calendar of news: read, kept over restarts, and honest about what it cannot read."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from kit.clock import LoopClock
from kit.wall_clock import WallClock
from signalfleet.adapters.calendar.feed import CalendarFeed, from_address, from_file
from signalfleet.adapters.calendar.parse import CalendarFormatError, parse_calendar
from signalfleet.domain.risk.moments import blindness
from signalfleet.domain.settings.choices import Impact

JSON = json.dumps(
    [
        {
            "title": "Payrolls",
            "country": "USD",
            "date": "2026-03-06T08:30:00-05:00",
            "impact": "High",
        },
        {"title": "Holiday", "country": "USD", "date": "2026-03-06", "impact": "Holiday"},
    ]
)
ICAL = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nDTSTART:20260306T133000Z\r\n"
    "SUMMARY:USD Non-farm\r\n  payrolls\r\nCATEGORIES:high\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.mark.parametrize("text", [JSON, ICAL], ids=["json", "ical"])
def test_both_formats_bring_the_same_event(text: str) -> None:
    (event,) = parse_calendar(text)
    assert event.at == datetime(2026, 3, 6, 13, 30, tzinfo=UTC)
    assert (event.currency, event.impact) == ("USD", Impact.HIGH)


@pytest.mark.parametrize(
    "text",
    ["", "<html>Sign in</html>", "[", "{}", '[{"title": "x"}]', "BEGIN:VCALENDAR\n", "[1, 2]"],
    ids=["empty", "page", "broken", "other", "no fields", "cut off", "numbers"],
)
def test_what_is_no_calendar_is_refused(text: str) -> None:
    with pytest.raises(CalendarFormatError):
        parse_calendar(text)


@given(st.text() | st.text().map(lambda text: "BEGIN:VCALENDAR" + text + "END:VCALENDAR"))
def test_any_text_is_a_calendar_or_refused(text: str) -> None:
    try:
        parse_calendar(text)
    except CalendarFormatError:
        return


class Source:
    def __init__(self, *texts: str | Exception) -> None:
        self.texts = list(texts)

    async def read(self) -> str:
        text = self.texts.pop(0)
        if isinstance(text, Exception):
            raise text
        return text


async def test_a_feed_that_fails_keeps_its_events_and_says_why(tmp_path: Path) -> None:
    source = Source(JSON, OSError("down"), "<html>", JSON)
    feed = CalendarFeed(source.read, tmp_path / "kept.json", LoopClock())
    assert await feed.renew()
    assert not await feed.renew()
    assert len(feed.view().events) == 1
    assert feed.view().trouble == "it cannot be read (OSError)"
    assert not await feed.renew()
    assert feed.view().trouble == "it is neither JSON nor iCalendar"
    assert await feed.renew()
    assert feed.view().trouble is None


async def test_after_a_restart_without_network_the_last_copy_counts_with_its_age(
    tmp_path: Path,
) -> None:
    clock = LoopClock()
    first = CalendarFeed(Source(JSON).read, tmp_path / "kept.json", clock)
    assert await first.renew()
    again = CalendarFeed(Source(OSError()).read, tmp_path / "kept.json", clock)
    again._load_kept()
    assert not await again.renew()
    view = again.view()
    assert len(view.events) == 1
    assert blindness(view, clock.now()) is None
    late = blindness(view, clock.now() + timedelta(hours=13))
    assert late is not None
    assert "13 hours old" in late


async def test_a_broken_kept_copy_is_passed_over(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text("{", encoding="utf-8")
    feed = CalendarFeed(Source(JSON).read, kept, LoopClock())
    feed._load_kept()
    assert feed.view().read_at is None


async def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "news.ics"
    file.write_text(ICAL, encoding="utf-8")
    feed = CalendarFeed(from_file(file), tmp_path / "kept.json", LoopClock())
    assert await feed.renew()
    missing = CalendarFeed(from_file(tmp_path / "none"), tmp_path / "k2.json", LoopClock())
    assert not await missing.renew()


@pytest.mark.loopback
async def test_an_address_is_read_and_an_error_page_is_no_calendar(tmp_path: Path) -> None:
    async def good(_request: web.Request) -> web.Response:
        return web.Response(text=JSON)

    async def bad(_request: web.Request) -> web.Response:
        return web.Response(status=503, text="later")

    app = web.Application()
    app.router.add_get("/good", good)
    app.router.add_get("/bad", bad)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        clock = WallClock()
        feed = CalendarFeed(from_address(f"http://{host}:{port}/good"), tmp_path / "a", clock)
        assert await feed.renew()
        broken = CalendarFeed(from_address(f"http://{host}:{port}/bad"), tmp_path / "b", clock)
        assert not await broken.renew()
    finally:
        await runner.cleanup()
