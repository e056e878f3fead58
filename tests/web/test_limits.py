"""Who asks too often is told when to come back; Stop always works; Redis may go at any time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import FastAPI
from starlette.responses import Response

from kit.counting_metrics import CountingMetrics
from kit.redis import require, running_redis, silent_server
from kit.wall_clock import WallClock
from kit.web_scene import CELL, USER, a_full_day
from kit.web_site import Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.adapters.redis import limiter_options
from signalfleet.domain.ids import UserId
from signalfleet.ports.fleet_rows import WebSession
from signalfleet.web.app import TABLES
from signalfleet.web.auth.sessions import digest
from signalfleet.web.deps import WebConfigError
from signalfleet.web.limit_settings import LimitSettings
from signalfleet.web.limits import ACTIVE, LIMITED, LimitClass, Limits, limits_of
from signalfleet.web.routes import Access, RouteTable, register

pytestmark = pytest.mark.loopback
BOB = UserId("u_" + "b" * 26)


def counted_here(per_minute: int = 60) -> LimitSettings:
    return LimitSettings(metrics=CountingMetrics(), per_minute=per_minute)


@asynccontextmanager
async def limited_site(
    settings: LimitSettings, store: MemoryStore | None = None
) -> AsyncIterator[Site]:
    if store is None:
        store = MemoryStore(cell=CELL)
        await a_full_day(store, WallClock().now())
    async with serve(store, limits=settings) as site:
        await site.sign_in()
        yield site


async def statuses(site: Site, method: str, path: str, times: int) -> list[int]:
    return [(await site.ask(method, path)).status for _ in range(times)]


async def test_the_sixth_start_in_a_minute_is_refused_with_a_time() -> None:
    settings = counted_here()
    async with limited_site(settings) as site:
        started = [(await site.press("/copying/resume", confirm="RESUME")) for _ in range(6)]
        assert [one.status == 429 for one in started] == [False] * 5 + [True]
        assert 0 < int(started[-1].headers["Retry-After"]) <= 60
        assert started[-1].headers["RateLimit-Limit"] == "5"
        assert "Try again in" in started[-1].text
        assert (await site.press("/copying/stop")).status == 303
        metrics = settings.metrics
        assert isinstance(metrics, CountingMetrics)
        assert metrics.labels_of(LIMITED) == [{"kind": "bot_start"}]


async def test_programs_get_the_code_of_the_problem() -> None:
    async with limited_site(counted_here(per_minute=1)) as site:
        answers = [await site.ask("GET", "/f/signals") for _ in range(6)]
        assert answers[-1].status == 429
        assert answers[-1].json()["code"] == "rate_limited"


async def test_ids_in_the_address_do_not_make_new_limits() -> None:
    async with limited_site(counted_here(per_minute=2)) as site:
        found = [(await site.ask("GET", f"/signals/-100/{number}")).status for number in range(10)]
        assert found[-1] == 429


async def test_stop_is_never_limited() -> None:
    async with limited_site(counted_here(per_minute=1)) as site:
        for _ in range(40):
            assert (await site.press("/copying/stop")).status == 303


async def test_another_user_is_not_held_back() -> None:
    async with limited_site(counted_here(per_minute=1)) as site:
        assert 429 in await statuses(site, "GET", "/", 6)
        fleet = site.store.fleet
        profile = await fleet.get_user(USER)
        assert profile is not None
        await fleet.add_user(replace(profile, user_id=BOB, telegram_id=99))
        now = WallClock().now()
        session = WebSession(user_id=BOB, created_at=now, expires_at=now + timedelta(hours=1))
        await fleet.put_session(digest("sid-of-bob"), session)
        site.cookie = site.cookie.partition("=")[0] + "=sid-of-bob"
        assert (await site.page("/")).status == 200


async def test_who_has_not_signed_in_is_limited_by_address() -> None:
    store = MemoryStore(cell=CELL)
    await a_full_day(store, WallClock().now())
    async with serve(store, limits=counted_here()) as site:
        headers = {"Sec-Fetch-Site": "same-origin"}
        tries = [(await site.ask("POST", "/auth/demo", headers=headers)).status for _ in range(11)]
        assert tries == [303] * 10 + [429]


async def test_two_processes_with_one_redis_count_together() -> None:
    with running_redis() as started:
        server = require(started)
        settings = [
            LimitSettings(
                metrics=CountingMetrics(),
                per_minute=2,
                storage=server.url,
                options=limiter_options(),
            )
            for _ in range(2)
        ]
        async with limited_site(settings[0]) as one, limited_site(settings[1], one.store) as two:
            seen = []
            for site in (one, two) * 4:
                seen += await statuses(site, "GET", "/f/signals", 1)
            assert 429 in seen
            assert seen.count(200) <= 8


async def test_a_redis_that_dies_leaves_limits_of_this_process() -> None:
    metrics = CountingMetrics()
    with running_redis() as started:
        server = require(started)
        settings = LimitSettings(
            metrics=metrics, per_minute=2, storage=server.url, options=limiter_options()
        )
        async with limited_site(settings) as site:
            server.call("FLUSHALL")
            assert (await site.page("/")).status == 200
            assert "local" not in (await site.ask("GET", "/readyz")).text
            server.kill()
            found = await statuses(site, "GET", "/", 10)
            assert (found[0], found[-1]) == (200, 429)
            assert metrics.gauges[ACTIVE] == 1
            ready = await site.ask("GET", "/readyz")
            assert (ready.status, "limits are local" in ready.text) == (200, True)
            assert (await site.press("/copying/stop")).status == 303


async def test_a_redis_that_never_answers_holds_nobody_up() -> None:
    with silent_server() as url:
        settings = LimitSettings(metrics=CountingMetrics(), storage=url, options=limiter_options())
        async with limited_site(settings) as site:
            times = []
            for _ in range(20):
                begun = time.perf_counter()
                async with asyncio.timeout(5):
                    await site.ask("GET", "/readyz")
                times.append(time.perf_counter() - begun)
            assert sorted(times)[-2] < 0.2


def test_every_route_has_a_class_and_money_is_never_waited_for() -> None:
    routes = {(one.method, one.path): one for table in TABLES for one in table.routes}
    assert routes["POST", "/copying/stop"].limit is LimitClass.UNLIMITED
    assert routes["POST", "/copying/resume"].limit is LimitClass.BOT_START
    assert routes["GET", "/live/events"].limit is LimitClass.STREAM
    unlimited = {path for (_, path), one in routes.items() if one.limit is LimitClass.UNLIMITED}
    operators = {path for (_, path), one in routes.items() if one.access is Access.OPERATOR}
    always = {path for path in unlimited - operators if not path.startswith("/copying/")}
    assert always == {"/auth/logout", "/push-worker.js", "/static/{mark}/{name}"}


def test_a_limit_that_cannot_be_read_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {**limits_of(60), LimitClass.WRITE: "many/minute"}
    monkeypatch.setattr("signalfleet.web.limits.limits_of", lambda _: words)
    table = RouteTable()

    @table.route("POST", "/x", Access.SIGNED_IN)
    async def endpoint() -> Response:
        return Response()

    with pytest.raises(WebConfigError, match="cannot be read"):
        register(FastAPI(telemetry={"auto_configure": False}), [table], Limits(counted_here()))


def test_a_switch_of_slowapis_own_does_not_turn_limits_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RATELIMIT_ENABLED", "false")
    with pytest.raises(WebConfigError, match="RATELIMIT_ENABLED"):
        Limits(counted_here())
