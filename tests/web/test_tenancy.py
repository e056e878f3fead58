"""Nobody reaches what is another user's: each route, with each id, from the OpenAPI document.

A route that takes an id of anything and is not in the table below fails, and so does an entry
without a route.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from kit.openapi import document_of, operations_of
from kit.tenants import OTHER, Tenants, send, two_tenants
from kit.web_scene import USER
from kit.web_site import Answer, serve
from signalfleet.domain.accounts.audit import first_broken
from signalfleet.ports.bus import LiveEvent
from signalfleet.web.app import TABLES
from signalfleet.web.routes import Access

pytestmark = pytest.mark.loopback

ROUTES = {f"{one.method} {one.path}": one for table in TABLES for one in table.routes}
CLOSED = {
    name: one for name, one in ROUTES.items() if one.access in (Access.SIGNED_IN, Access.OWNER)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How B tries a route with A's ids: `{chat}`, `{message}` and `{signal}` are A's.

    `answers`: what B may be told; for a route of an owner that is 404 and nothing else.
    """

    form: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    answers: frozenset[int] = frozenset({200, 303})


ANYTHING = frozenset({200, 303, 422, 503})
"""Nothing answers for the worker here, so asking it is answered by 503."""
MATRIX: dict[str, Case] = {
    "GET /": Case(),
    "GET /f/live/{panel}": Case(),
    "GET /live/events": Case(),
    "GET /signals": Case(query="?channel={chat}&show=copied"),
    "GET /f/signals": Case(query="?channel={chat}&show=copied"),
    "GET /signals/{chat}/{message}": Case(answers=frozenset({404})),
    "GET /f/signals/{chat}/{message}": Case(answers=frozenset({404})),
    "GET /signals/{signal_id}": Case(answers=frozenset({404})),
    "POST /copying/stop": Case(),
    "POST /copying/restart-drawdown": Case(
        form={"account": "{account}", "confirm": "resume"}, answers=frozenset({422})
    ),
    "GET /asks": Case(),
    "POST /asks/answer": Case(
        form={"key": "{chat}.{message}.0.0", "answer": "approve"}, answers=frozenset({409})
    ),
    "GET /copying": Case(),
    "POST /copying/close": Case(),
    "POST /copying/state": Case(
        form={"scope": "account:{account}", "state": "paused"}, answers=frozenset({422})
    ),
    "GET /copying/resume": Case(),
    "POST /copying/resume": Case(form={"confirm": "resume", "user": "{user}"}),
    "POST /auth/logout": Case(form={"user": "{user}"}),
    "GET /connect/telegram/channels": Case(query="?search=gold", answers=ANYTHING),
    "POST /connect/telegram/channels": Case(
        form={"chat": "{chat}", "shown": "{chat}", "mode": "on", "user": "{user}"},
        answers=ANYTHING,
    ),
    "POST /connect/telegram/channels/find": Case(
        form={"name": "{chat}", "user": "{user}"}, answers=ANYTHING
    ),
    "POST /connect/telegram/channels/join": Case(
        form={"link": "{chat}", "user": "{user}"}, answers=ANYTHING
    ),
    "GET /channels/{chat}": Case(answers=frozenset({404})),
    "POST /channels/{chat}/profile": Case(
        form={"chat": "{chat}", "user": "{user}"}, answers=frozenset({404})
    ),
    "POST /channels/{chat}/layouts": Case(
        form={"chat": "{chat}", "user": "{user}"}, answers=frozenset({404})
    ),
    "POST /channels/{chat}/mode": Case(form={"mode": "off"}, answers=frozenset({404})),
    "POST /channels/{chat}/probation/skip": Case(answers=frozenset({404})),
    "POST /channels/{chat}/probation/restart": Case(answers=frozenset({404})),
    "GET /accounts/{account}/pack": Case(query="?pack=example", answers=frozenset({404})),
    "POST /accounts/{account}/pack": Case(
        form={"pack": "example", "confirm": "confirm", "user": "{user}"}, answers=frozenset({404})
    ),
    "GET /accounts/{account}/live": Case(answers=frozenset({404})),
    "POST /accounts/{account}/live": Case(
        form={"number": "50011789", "user": "{user}"}, answers=frozenset({404})
    ),
    "POST /accounts/{account}/disconnect": Case(
        form={"exit_policy": "flatten", "user": "{user}"}, answers=frozenset({404})
    ),
    "GET /settings": Case(query="?q=risk"),
    "POST /settings": Case(
        form={"set-risk_percent": "1", "revision": "0", "user": "{user}"}, answers=ANYTHING
    ),
    "GET /accounts/{account}/settings": Case(answers=frozenset({404})),
    "POST /accounts/{account}/settings": Case(
        form={"set-risk_percent": "9", "revision": "0", "user": "{user}"}, answers=frozenset({404})
    ),
    "GET /channels/{chat}/settings": Case(answers=frozenset({404})),
    "POST /channels/{chat}/settings": Case(
        form={"set-risk_percent": "9", "revision": "0", "user": "{user}"}, answers=frozenset({404})
    ),
    "GET /connect/telegram/topics": Case(query="?chat={chat}", answers=ANYTHING),
    "POST /connect/telegram/topics": Case(
        form={"chat": "{chat}", "topic": "1", "user": "{user}"}, answers=ANYTHING
    ),
    "GET /account": Case(),
    "GET /account/activity": Case(),
    "POST /account/export": Case(form={"user": "{user}"}),
    "GET /account/export/{token}": Case(answers=frozenset({404})),
    "POST /account/delete": Case(
        form={"confirm": "delete", "trades": "keep", "user": "{user}"}, answers=frozenset({503})
    ),
    "POST /connect/telegram/disconnect": Case(form={"user": "{user}"}, answers=ANYTHING),
    "GET /connect/mt5": Case(answers=ANYTHING),
    "GET /connect/mt5/step": Case(answers=ANYTHING),
    "POST /connect/mt5/token": Case(form={"token": "t", "user": "{user}"}, answers=ANYTHING),
    "POST /connect/mt5/add": Case(form={"account": "{account}"}, answers=ANYTHING),
    "POST /connect/mt5/again": Case(form={"account": "{account}"}, answers=ANYTHING),
    "GET /notices": Case(),
    "GET /f/notices": Case(),
    "POST /notices/read": Case(form={"until": "999"}),
    "GET /settings/notifications": Case(),
    "GET /f/notification-targets": Case(),
    "POST /settings/notifications": Case(form={"telegram-money": "on", "user": "{user}"}),
    "POST /settings/notifications/telegram": Case(form={"user": "{user}"}, answers=ANYTHING),
    "POST /settings/notifications/email": Case(
        form={"address": "b@example.com", "user": "{user}"}, answers=ANYTHING
    ),
    "POST /settings/notifications/code": Case(
        form={"code": "ABCDEFGH", "user": "{user}"}, answers=ANYTHING
    ),
    "POST /settings/notifications/push": Case(
        form={"subscription": "none", "user": "{user}"}, answers=ANYTHING
    ),
    "POST /settings/notifications/test": Case(
        form={"kind": "email", "user": "{user}"}, answers=ANYTHING
    ),
    "POST /settings/notifications/off": Case(
        form={"kind": "email", "user": "{user}"}, answers=ANYTHING
    ),
}
OWNED = [name for name, one in CLOSED.items() if one.access is Access.OWNER]


def filled(template: str, ids: Mapping[str, str]) -> str:
    for name, value in ids.items():
        template = template.replace(f"{{{name}}}", value)
    return template


async def ids_of_a(tenants: Tenants) -> dict[str, str]:
    """Return what exists of A and nobody else, by the name of the parameter."""
    mine = tenants.store.user(USER)
    (signal, *_) = await mine.journal.recent_signals()
    accounts = await mine.accounts.list()
    return {
        "chat": str(signal.chat),
        "message": str(signal.message),
        "signal_id": signal.signal_id,
        "account": accounts[0].account_id,
        "token": await export_link_of_a(tenants),
        "panel": "strip",
        "user": USER,
    }


async def export_link_of_a(tenants: Tenants) -> str:
    page = await send(tenants.site, "POST", "/account/export")
    found = re.search(r'href="/account/export/([\w-]+)"', page.text)
    assert found is not None
    return found[1]


def of_nobody(ids: Mapping[str, str]) -> dict[str, str]:
    """Return ids in the same form that name nothing at all."""
    changed = {
        "chat": "-1009999999999",
        "message": "987654",
        "signal_id": "ZZZZZZZZZZZZZZZZ",
        "token": "t" * 32,
    }
    return {**ids, **{name: changed[name] for name in changed if name in ids}}


def without_address(answer: Answer, address: str) -> str:
    """Return the body without what differs by design: the address and the request's name."""
    return re.sub(r"[0-9a-f]{16}", "#", answer.text.replace(address, "*"))


@pytest.fixture
async def tenants() -> AsyncIterator[Tenants]:
    async with two_tenants() as opened:
        yield opened


def test_every_route_behind_a_sign_in_is_in_the_table() -> None:
    assert set(MATRIX) == set(CLOSED), "add the route to MATRIX, with the ids that it takes"


async def test_the_document_names_no_id_that_the_table_does_not_try() -> None:
    async with serve() as site:
        operations = operations_of(document_of(site.app))
    assert set(operations) == set(ROUTES)
    known = {"account", "chat", "message", "signal_id", "panel", "token"}
    for name in CLOSED:
        tried = MATRIX[name].query
        for parameter in operations[name]:
            assert parameter in known or f"{parameter}=" in tried, (name, parameter)


async def test_another_users_ids_lead_nowhere(tenants: Tenants) -> None:
    ids, marks = await ids_of_a(tenants), await marks_of_a(tenants)
    before = tenants.rows_of_a()
    for number, (name, case) in enumerate(MATRIX.items()):
        if name == "GET /live/events":
            continue  # It has a test of its own.
        method, path = name.split(" ")
        answer = await send(
            tenants.b,
            method,
            filled(path + case.query, ids),
            form={key: filled(value, ids) for key, value in case.form.items()},
            headers={"If-Match": '"1"', "Idempotency-Key": f"of-a-{number}"},
        )
        assert answer.status in case.answers, (name, answer.text)
        assert tenants.rows_of_a() == before, name
        assert not [mark for mark in marks if mark in answer.text], f"A's data in {name}"
        await tenants.sign_b_in()


async def marks_of_a(tenants: Tenants) -> set[str]:
    """Return texts that only A's pages hold."""
    mine = tenants.store.user(USER)
    titles = {one.title for one in await mine.channels.list()}
    return titles | {account.account_id for account in await mine.accounts.list()}


async def test_anothers_object_is_answered_as_one_that_is_not_there(tenants: Tenants) -> None:
    ids = await ids_of_a(tenants)
    absent = of_nobody(ids)
    seen = 0
    for name in OWNED:
        method, path = name.split(" ")
        for accept in ("text/html", "application/json"):
            answers = [
                await send(tenants.b, method, filled(path, one), headers={"Accept": accept})
                for one in (ids, absent)
            ]
            theirs, nothing = answers
            assert (theirs.status, nothing.status) == (404, 404), name
            assert without_address(theirs, filled(path, ids)) == without_address(
                nothing, filled(path, absent)
            )
            assert theirs.headers["Content-Type"] == nothing.headers["Content-Type"]
            seen += 2
            assert await tenants.misses_of_b() == min(seen, 30), "each look leaves one line"
        if method == "GET":
            own = await send(tenants.site, method, filled(path, ids))
            assert own.status in (200, 303), f"{name}: A's own object is there"


async def test_misses_are_noted_up_to_a_limit(tenants: Tenants) -> None:
    for number in range(35):
        await send(tenants.b, "GET", f"/signals/ABCDEFGH{number}")
    assert await tenants.misses_of_b() == 30
    rows = await tenants.store.user(OTHER).events.list()
    assert first_broken(OTHER, rows) is None


async def test_the_stream_of_one_user_carries_nothing_of_another(tenants: Tenants) -> None:
    b = tenants.b
    headers = {"Cookie": b.cookie, "Accept": "text/event-stream", "Last-Event-ID": "1"}
    marks = await marks_of_a(tenants)
    async with b.client.get(f"{b.url}/live/events", headers=headers) as answer:
        assert answer.status == 200
        await answer.content.readline()
        for user in (USER, OTHER):
            event = LiveEvent(user=user, kind="bot", payload={"halted": True})
            await b.bus.publish_event(event)
        text = ""
        async with asyncio.timeout(5):
            while "event: strip" not in text:
                text += (await answer.content.readline()).decode()
        text += (await answer.content.read(65_536)).decode()
    assert not [mark for mark in marks if mark in text]


WRITES = [name for name, one in CLOSED.items() if one.is_signed_write]


async def test_a_write_leaves_one_line_of_who_did_it(tenants: Tenants) -> None:
    ids = {**await ids_of_a(tenants), "chat": "-1", "account": "a_mine"}
    trail = tenants.store.user(OTHER).events
    for name in WRITES:
        case, (method, path) = MATRIX[name], name.split(" ")
        assert ROUTES[name].audit, f"give {name} a word: @table.route(..., audit=...)"
        before = len(await trail.list())
        form = {key: filled(value, ids) for key, value in case.form.items()}
        answer = await send(tenants.b, method, filled(path, ids), form=form)
        lines = [row.entry.action for row in (await trail.list())[before:]]
        misses = ["object_not_found"] if answer.status == 404 else []
        assert lines == ([ROUTES[name].audit] if answer.status < 400 else misses), name
        await tenants.sign_b_in()


async def test_the_same_key_of_two_users_is_two_keys(tenants: Tenants) -> None:
    headers = {"Idempotency-Key": "same"}
    for visitor in (tenants.site, tenants.b):
        answer = await send(visitor, "POST", "/copying/stop", headers=headers)
        assert answer.status == 303
        assert "Idempotent-Replayed" not in answer.headers
    for user in (USER, OTHER):
        assert (await tenants.store.user(user).bot.status()).halted


async def test_a_repeated_request_has_one_effect_and_one_answer(tenants: Tenants) -> None:
    headers = {"Idempotency-Key": "k-1"}
    bot = tenants.store.user(OTHER).bot
    first = await send(tenants.b, "POST", "/copying/stop", headers=headers)
    revision = (await bot.status()).wish_rev
    again = await send(tenants.b, "POST", "/copying/stop", headers=headers)
    assert (first.status, again.status) == (303, 303)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await bot.status()).wish_rev == revision
    other = await send(
        tenants.b, "POST", "/copying/resume", headers=headers, form={"confirm": "resume"}
    )
    assert other.status == 422
    changed = await send(
        tenants.b, "POST", "/copying/stop", headers=headers, form={"more": "words"}
    )
    assert changed.status == 422
    lines = [row.entry.action for row in await tenants.store.user(OTHER).events.list()]
    assert lines == ["copying_stopped"]


@pytest.mark.parametrize(
    "key", ["", "a b", "é", "x" * 65, "\t"], ids=["empty", "space", "letter", "long", "tab"]
)
async def test_a_key_that_is_none_is_refused(tenants: Tenants, key: str) -> None:
    answer = await send(tenants.b, "POST", "/copying/stop", headers={"Idempotency-Key": key})
    assert answer.status == 400
    assert not (await tenants.store.user(OTHER).bot.status()).halted


async def test_a_key_in_use_is_not_used_again_before_its_end_is_known(tenants: Tenants) -> None:
    now = tenants.site.app.state.context.deps.clock.now()
    records = tenants.store.user(OTHER).idempotency
    form = {"csrf_token": tenants.b.token}
    body = hashlib.sha256(b"POST /copying/stop\n" + urlencode(form).encode()).hexdigest()
    until = now + timedelta(hours=24)
    await records.begin("k", "POST /copying/stop", body, at=now, until=until)
    answer = await send(tenants.b, "POST", "/copying/stop", headers={"Idempotency-Key": "k"})
    assert answer.status == 409
    assert not (await tenants.store.user(OTHER).bot.status()).halted


async def test_a_key_does_not_open_the_door_for_another_site(tenants: Tenants) -> None:
    headers = {"Idempotency-Key": "k"}
    await send(tenants.b, "POST", "/copying/stop", headers=headers)
    forged = await tenants.b.ask(
        "POST", "/copying/stop", headers={**headers, "Sec-Fetch-Site": "cross-site"}
    )
    assert forged.status == 403
