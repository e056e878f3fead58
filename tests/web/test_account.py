"""Taking one's data along and leaving, as pages."""

import asyncio
import csv
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from kit.tenants import OTHER, Tenants, send, two_tenants
from kit.web_scene import USER
from kit.web_site import PAGE
from signalfleet.adapters.secrets import (
    FernetKeyService,
    SecureCredentialStore,
    new_encryption_key,
)
from signalfleet.app.export_account import TRADE_COLUMNS, export_account, trades_csv
from signalfleet.ports.bus import Plain, owner_address
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback

CANARY = "CANARY-session-77aa"


@pytest.fixture
async def tenants() -> AsyncIterator[Tenants]:
    async with two_tenants() as opened:
        yield opened


async def link_of(tenants: Tenants) -> str:
    page = await send(tenants.site, "POST", "/account/export")
    found = re.search(r'href="(/account/export/[\w-]+)"', page.text)
    assert found is not None, page.text
    return found[1]


async def fetched(tenants: Tenants, link: str) -> zipfile.ZipFile:
    headers = {**PAGE, "Cookie": tenants.site.cookie}
    async with tenants.site.client.get(tenants.site.url + link, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/zip"
        assert answer.headers["Cache-Control"] == "no-store"
        disposition = 'attachment; filename="signalfleet-export.zip"'
        assert answer.headers["Content-Disposition"] == disposition
        return zipfile.ZipFile(io.BytesIO(await answer.read()))


async def test_the_archive_holds_what_is_stored_and_no_secret(tenants: Tenants) -> None:
    credentials = SecureCredentialStore(tenants.store, FernetKeyService(new_encryption_key()))
    await credentials.put(USER, "telegram_session", Secret(CANARY))
    (sealed,) = await tenants.store.user(USER).credentials.list()
    await tenants.store.user(OTHER).settings.put("user", {"risk_percent": "MARK-of-b"}, 0)
    archive = await fetched(tenants, await link_of(tenants))
    texts = {name: archive.read(name).decode() for name in archive.namelist()}
    names = {name.removeprefix("signalfleet/") for name in texts}
    assert names == {
        *("README.txt", "profile.json", "bot.json", "settings.json", "channels.json"),
        *("accounts.json", "messages.json", "signals.json", "copies.json", "intents.json"),
        *("traces.json", "notices.json", "activity.json", "trades.json", "trades.csv"),
    }
    everything = "".join(texts.values())
    (key,) = await tenants.store.user(USER).credentials.keys()
    for secret in (CANARY, sealed.ciphertext, sealed.nonce, key.wrapped, "MARK-of-b", OTHER):
        assert secret not in everything
    assert "access_hash" not in everything
    mine = tenants.store.user(USER)
    assert len(json.loads(texts["signalfleet/trades.json"])) == len(
        await mine.journal.recent_trades(limit=10_000)
    )
    assert len(json.loads(texts["signalfleet/messages.json"])) == len(
        await mine.inbox.recent(limit=10_000)
    )
    rows = list(csv.reader(io.StringIO(texts["signalfleet/trades.csv"], newline="")))
    assert tuple(rows[0]) == TRADE_COLUMNS
    assert len(rows) > 3
    activity = json.loads(texts["signalfleet/activity.json"])
    assert activity[-1]["entry"]["action"] == "export_requested"


async def test_a_link_works_once_for_its_owner_within_a_day(tenants: Tenants) -> None:
    link = await link_of(tenants)
    assert (await send(tenants.b, "GET", link)).status == 404
    assert (await send(tenants.site, "GET", link + "x")).status == 404
    await fetched(tenants, link)
    assert (await send(tenants.site, "GET", link)).status == 404
    actions = [row.entry.action for row in await tenants.store.user(USER).events.list()]
    assert actions.count("export_fetched") == 1
    assert link.rpartition("/")[2] not in repr(await tenants.store.user(USER).events.list())
    link = await link_of(tenants)
    doc, version = await tenants.store.user(USER).settings.get("export")
    now = tenants.site.app.state.context.deps.clock.now()
    old = {**doc, "until": (now - timedelta(seconds=1)).isoformat()}
    await tenants.store.user(USER).settings.put("export", old, version)
    assert (await send(tenants.site, "GET", link)).status == 404


async def test_of_two_at_once_one_gets_the_archive(tenants: Tenants) -> None:
    link = await link_of(tenants)
    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(send(tenants.site, "GET", link)) for _ in range(5)]
    assert sorted(one.result().status for one in answers) == [200, 404, 404, 404, 404]


async def test_three_archives_a_day_are_enough(tenants: Tenants) -> None:
    for _ in range(3):
        await link_of(tenants)
    answer = await send(tenants.site, "POST", "/account/export")
    assert answer.status == 429
    assert "Come back tomorrow" in answer.text


async def test_no_cell_is_a_formula_and_no_number_is_text(tenants: Tenants) -> None:
    (trade, *_) = await tenants.store.user(USER).journal.recent_trades()
    hostile = [
        replace(trade, symbol=text, close_reason=text, profit=Decimal("-12.50"))
        for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\0=1", 'a"b,c\nd')
    ]
    rows = list(csv.DictReader(io.StringIO(trades_csv(hostile), newline="")))
    assert len(rows) == len(hostile)
    for row, given in zip(rows, hostile, strict=True):
        assert row["symbol"] in (given.symbol, "'" + given.symbol)
        assert row["symbol"][0] not in "=+-@\t\r\0"
        assert row["profit"] == "-12.50"


async def test_an_archive_of_nothing_is_an_archive(tenants: Tenants) -> None:
    profile = await tenants.store.fleet.get_user(OTHER)
    assert profile is not None
    now = tenants.site.app.state.context.deps.clock.now()
    packed = await export_account(tenants.store.user(OTHER), profile, now)
    archive = zipfile.ZipFile(io.BytesIO(packed))
    assert json.loads(archive.read("signalfleet/trades.json")) == []
    assert archive.testzip() is None


async def test_activity_says_what_was_done_and_when_it_was_tampered_with(
    tenants: Tenants,
) -> None:
    await send(tenants.site, "POST", "/copying/stop")
    page = await tenants.site.page("/account/activity")
    assert "You: Stopped all copying" in page.text
    assert "was changed after it was written" not in page.text
    events = tenants.store._state.rows[USER].events
    events[0] = replace(events[0], entry=replace(events[0].entry, action="copying_resumed"))
    page = await tenants.site.page("/account/activity")
    assert "was changed after it was written" in page.text


async def test_leaving_needs_the_typed_word_and_a_worker(tenants: Tenants) -> None:
    for word in ("", "yes", "deleted"):
        answer = await send(tenants.site, "POST", "/account/delete", form={"confirm": word})
        assert answer.status == 422
    form = {"confirm": "delete", "trades": "keep"}
    answer = await send(tenants.site, "POST", "/account/delete", form=form)
    assert answer.status == 503
    assert await tenants.store.fleet.get_user(USER) is not None


async def test_who_has_open_trades_says_what_becomes_of_them(tenants: Tenants) -> None:
    live = len(await tenants.store.user(USER).journal.live_trades())
    assert live
    page = await tenants.site.page("/account")
    assert f"{live} of your trades are open" in page.text
    for choice in ({}, {"trades": ""}, {"trades": "sell"}):
        form = {"confirm": "delete", **choice}
        answer = await send(tenants.site, "POST", "/account/delete", form=form)
        assert answer.status == 422
        assert "Choose what becomes of your open trades" in answer.text


async def test_trades_that_are_still_being_closed_are_counted(tenants: Tenants) -> None:
    ready = asyncio.Event()

    async def answer(_: Plain) -> Plain:
        return {"report": "r_1", "is_over": False, "steps": {}, "left": 2}

    async with asyncio.TaskGroup() as tasks:
        address = owner_address("c1", OTHER)
        serving = tasks.create_task(tenants.site.bus.serve(address, answer, ready=ready))
        await ready.wait()
        form = {"confirm": "delete", "trades": "close"}
        page = await send(tenants.b, "POST", "/account/delete", form=form)
        serving.cancel()
    assert "Your trades are being closed" in page.text
    assert "2 of your trades are still open" in page.text


async def test_leaving_is_asked_for_in_the_name_of_the_session_only(tenants: Tenants) -> None:
    asked: list[Plain] = []
    ready = asyncio.Event()

    async def answer(question: Plain) -> Plain:
        asked.append(question)
        steps = {"telegram": "signed out", "metaapi": "no account", "stopped": "0 trades left"}
        return {"report": "r_1", "is_over": True, "steps": steps}

    async with asyncio.TaskGroup() as tasks:
        address = owner_address("c1", OTHER)
        serving = tasks.create_task(tenants.site.bus.serve(address, answer, ready=ready))
        await ready.wait()
        form = {"confirm": " Delete ", "user": USER, "trades": "close"}
        page = await send(tenants.b, "POST", "/account/delete", form=form)
        serving.cancel()
    assert page.status == 200
    assert "Your account is deleted" in page.text
    assert "cookies" in page.headers["Clear-Site-Data"]
    assert asked == [{"desk": "account", "op": "delete", "user": OTHER, "trades": "close"}]
    assert (await send(tenants.b, "GET", "/account")).status == 303
