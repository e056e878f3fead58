"""Who may call what: generated from the table of routes, so that no route can be forgotten."""

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response

from kit.web_site import Site, serve
from signalfleet.web.app import TABLES
from signalfleet.web.routes import Access, UnclassedRouteError, WebRoute, require_classes

pytestmark = pytest.mark.loopback

ROUTES = [route for table in TABLES for route in table.routes]
FILLED = {
    "{panel}": "strip",
    "{chat}": "-1001000000001",
    "{message}": "71",
    "{signal_id}": "ABCDEFGH",
    "{mark}": "0",
    "{name}": "x",
}


def address(route: WebRoute) -> str:
    path = route.path
    for name, value in FILLED.items():
        path = path.replace(name, value)
    return path


def named(route: WebRoute) -> str:
    return f"{route.method} {route.path}"


CLOSED = [one for one in ROUTES if one.access in (Access.SIGNED_IN, Access.OWNER)]
FROM_ANYWHERE = [one for one in ROUTES if one.access is Access.FROM_ANYWHERE]
UNSAFE = [one for one in ROUTES if one.method != "GET" and one not in FROM_ANYWHERE]


def test_other_programs_may_only_end_letters() -> None:
    assert [one.path for one in FROM_ANYWHERE] == ["/notifications/unsubscribe/{user}/{word}"]


@pytest.mark.parametrize("route", CLOSED, ids=named)
async def test_a_stranger_is_led_to_the_sign_in_page_or_refused(route: WebRoute) -> None:
    async with serve() as site:
        as_page = await site.ask(route.method, address(route), headers={"Accept": "text/html"})
        as_data = await site.ask(route.method, address(route))
    if route.method == "GET":
        assert (as_page.status, as_page.headers["Location"]) == (303, "/signin")
    else:
        assert as_page.status == 401
    assert as_data.status == 401
    assert as_data.headers["Content-Type"] == "application/problem+json"
    assert as_data.headers["HX-Redirect"] == "/signin"


@pytest.mark.parametrize("route", UNSAFE, ids=named)
async def test_nothing_changes_by_a_request_from_elsewhere(home: Site, route: WebRoute) -> None:
    for headers in (
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": home.url},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        answer = await home.ask(
            route.method, address(route), headers=headers, form={"csrf_token": home.token}
        )
        assert answer.status == 403, (headers, answer.text)
    status = await home.store.user(home.app.state.context.deps.demo_user).bot.status()
    assert not status.halted


@pytest.mark.parametrize("route", [one for one in CLOSED if one.method != "GET"], ids=named)
async def test_the_pages_token_is_needed_even_from_the_same_origin(
    home: Site, route: WebRoute
) -> None:
    for token in ("", "0" * 64, home.token[:-1], home.token + "0", "ä"):
        answer = await home.ask(
            route.method,
            address(route),
            headers={"Sec-Fetch-Site": "same-origin"},
            form={"csrf_token": token},
        )
        assert answer.status == 403


async def test_a_route_past_the_table_stops_the_start() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/hidden")
    async def hidden() -> Response:
        return PlainTextResponse("")

    with pytest.raises(UnclassedRouteError, match="GET /hidden"):
        require_classes(app, ROUTES)


async def test_every_served_route_is_in_the_table(home: Site) -> None:
    require_classes(home.app, home.app.state.routes)
    assert len(home.app.state.routes) == len(ROUTES)


OPERATOR = [one for one in ROUTES if one.access is Access.OPERATOR]


@pytest.mark.parametrize("route", OPERATOR, ids=named)
async def test_operators_paths_answer_on_this_machine_only(home: Site, route: WebRoute) -> None:
    assert (await home.ask("GET", route.path)).status == 200
    assert (await home.ask("GET", route.path, headers={"Host": "10.1.2.3"})).status == 200
    for header in ("X-Forwarded-For", "Forwarded", "Via"):
        assert (await home.ask("GET", route.path, headers={header: "x"})).status == 404


async def test_ready_says_what_is_missing(home: Site) -> None:
    assert (await home.ask("GET", "/readyz")).text == "ready\n"
    home.bus.set_connected(False)
    home.store.is_down = True
    answer = await home.ask("GET", "/readyz")
    assert (answer.status, answer.text) == (503, "not ready: bus, store\n")
    assert (await home.ask("GET", "/livez")).status == 200
    home.store.is_down = False


async def test_metrics_are_passed_on_as_they_are(home: Site) -> None:
    answer = await home.ask("GET", "/metrics")
    assert answer.text == "signalfleet_active_bots 1\n"
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
