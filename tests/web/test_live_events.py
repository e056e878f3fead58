"""The event stream: whole panels when something happens, a heartbeat, a polite end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import pytest

from kit.wall_clock import WallClock
from kit.web_scene import CELL, GOLD, USER, Scene, a_full_day
from kit.web_site import Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.app.claim_slots import claim_slots
from signalfleet.ports.bus import LiveEvent
from signalfleet.web.app import end_streams
from signalfleet.web.live.frames import encode
from signalfleet.web.live.hub import QUEUE_FRAMES, STREAMS_PER_USER, Frame, LiveHub, Stream
from signalfleet.web.present.board import Panel

PATIENCE_S = 5.0


class Reader:
    """Reads events as a browser does."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._lines = answer.content

    async def next(self) -> Frame | None:
        """Return the next event, or None at the end of the stream."""
        event = "message"
        texts: list[str] = []
        async with asyncio.timeout(PATIENCE_S):
            while True:
                raw = await self._lines.readline()
                if not raw:
                    return None
                line = raw.decode().removesuffix("\n")
                if not line and texts:
                    return Frame(event=event, text="\n".join(texts))
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    texts.append(value)

    async def until(self, event: str) -> Frame:
        while (frame := await self.next()) is not None:
            if frame.event == event:
                return frame
        raise AssertionError(f"the stream ended before {event}")


@asynccontextmanager
async def listening(site: Site) -> AsyncIterator[Reader]:
    headers = {"Cookie": site.cookie, "Accept": "text/event-stream"}
    async with site.client.get(f"{site.url}/live/events", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["Cache-Control"] == "no-store"
        yield Reader(answer)


def hub_of(site: Site) -> LiveHub:
    hub: LiveHub = site.app.state.hub
    return hub


async def first_round(reader: Reader) -> None:
    seen: set[str] = set()
    while not {panel.value for panel in Panel} <= seen:
        frame = await reader.next()
        assert frame is not None
        seen.add(frame.event)


def tell(site: Site, kind: str) -> LiveEvent:
    return LiveEvent(user=USER, kind=kind, payload={})


@pytest.mark.loopback
async def test_a_stream_begins_with_every_panel(home: Site) -> None:
    async with listening(home) as reader:
        frame = await reader.next()
        assert frame is not None
        assert frame.event == "hb"
        await first_round(reader)


@pytest.mark.loopback
async def test_a_new_message_reaches_the_open_page(home: Site) -> None:
    scene = Scene(store=home.store, now=WallClock().now())
    scene.epoch = await claim_slots(home.store.fleet, CELL, [0, 1], "w2")
    async with listening(home) as reader:
        await first_round(reader)
        await reader.until("changed")
        profile = await home.store.fleet.get_user(USER)
        assert profile is not None
        scene.epoch = await claim_slots(home.store.fleet, CELL, [profile.slot], "w2")
        await scene.nothing(GOLD, 500, "Hello\n\ndata: evil\nevent: bye", 1, "advert")
        await home.bus.publish_event(tell(home, "signal"))
        frame = await reader.until("signals")
        assert "Hello data: evil event: bye" in frame.text
        assert (await reader.until("changed")).text


@pytest.mark.loopback
async def test_an_account_event_moves_figures_and_not_messages(home: Site) -> None:
    async with listening(home) as reader:
        await first_round(reader)
        await reader.until("changed")
        for _ in range(50):
            await home.bus.publish_event(tell(home, "account"))
        await home.bus.publish_event(tell(home, "bot"))
        seen = [await reader.next() for _ in range(4)]
        assert {frame.event for frame in seen if frame} == {
            "links",
            "unknown",
            "strip",
            "positions",
        }


@pytest.mark.loopback
async def test_a_closed_page_is_forgotten(home: Site) -> None:
    async with listening(home) as reader:
        await first_round(reader)
        assert hub_of(home).stream_count == 1
    for _ in range(500):
        if not hub_of(home).stream_count:
            break
        await asyncio.sleep(0.01)
    assert hub_of(home).stream_count == 0


@pytest.mark.loopback
async def test_signing_out_ends_the_stream_at_the_next_heartbeat() -> None:
    store = MemoryStore(cell=CELL)
    await a_full_day(store, WallClock().now())
    async with serve(store, heartbeat=timedelta(milliseconds=100)) as site:
        await site.sign_in()
        async with listening(site) as reader:
            await first_round(reader)
            await reader.until("hb")
            await reader.until("hb")
            await site.press("/auth/logout")
            assert (await reader.until("bye")).text == "signed_out"
            assert await reader.next() is None


@pytest.mark.loopback
async def test_a_server_that_goes_away_says_so_and_takes_no_new_pages(home: Site) -> None:
    async with listening(home) as reader:
        await first_round(reader)
        end_streams(home.app)
        assert (await reader.until("bye")).text == "going_away"
        assert await reader.next() is None
    headers = {"Cookie": home.cookie}
    async with home.client.get(f"{home.url}/live/events", headers=headers) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert (await home.ask("GET", "/readyz")).text == "not ready: draining\n"


@pytest.mark.loopback
async def test_too_many_open_pages_of_one_user_are_refused(home: Site) -> None:
    headers = {"Cookie": home.cookie}
    opened = [
        await home.client.get(f"{home.url}/live/events", headers=headers)
        for _ in range(STREAMS_PER_USER)
    ]
    for answer in opened:
        await Reader(answer).until("hb")
        await Reader(answer).until("strip")
    async with home.client.get(f"{home.url}/live/events", headers=headers) as refused:
        assert refused.status == 503
    for answer in opened:
        answer.close()


@pytest.mark.loopback
async def test_a_store_that_is_down_for_a_moment_does_not_end_the_stream(home: Site) -> None:
    async with listening(home) as reader:
        await first_round(reader)
        await reader.until("changed")
        home.store.is_down = True
        await home.bus.publish_event(tell(home, "trade"))
        await asyncio.sleep(0.6)
        home.store.is_down = False
        await reader.until("newest")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\n", "\n\ndata: x\n\n", "\r\revent: bye"])
def test_no_text_can_start_a_field_of_its_own(end: str) -> None:
    raw = encode(Frame(event="signals", text=f"a{end}b")).decode()
    assert raw.endswith("\n\n")
    lines = raw.removesuffix("\n\n").split("\n")
    assert lines[0] == "event: signals"
    assert all(line.startswith("data: ") for line in lines[1:])
    assert "\r" not in raw


async def test_a_reader_that_is_too_slow_loses_its_queue_and_not_the_server() -> None:
    stream = Stream()
    for number in range(QUEUE_FRAMES + 1):
        stream.put(Frame(event="strip", text=str(number)))
    assert stream.overflowed
    assert (await stream.get()).text == str(QUEUE_FRAMES)
