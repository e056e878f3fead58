"""Which path leads where; the most called come first, as the router looks in this order."""

from typing import Final

from aiohttp import web

from signalfleet_sim.metaapi.calls import Handler
from signalfleet_sim.metaapi.charts import Charts
from signalfleet_sim.metaapi.gate import NO_ACCOUNT, PROVISIONING, TERMINAL, Demands, Gate
from signalfleet_sim.metaapi.provisioning import Provisioning
from signalfleet_sim.metaapi.terminal import Terminal
from signalfleet_sim.metaapi.trade import TradeDesk

_TERMINAL: Final = "/client/{region}/users/current/accounts/{account}"
_DATA: Final = "/data/{region}/users/current/accounts/{account}"
_USER: Final = "/prov/users/current"
_ACCOUNTS: Final = f"{_USER}/accounts"
_ACCOUNT: Final = f"{_ACCOUNTS}/{{account}}"

_Line = tuple[str, str, str, Handler]


def routes(
    gate: Gate, desk: TradeDesk, terminal: Terminal, charts: Charts, provisioning: Provisioning
) -> list[web.RouteDef]:
    """List all routes but those of control."""
    found = _guarded(gate, _terminal_lines(desk, terminal), TERMINAL)
    found += _guarded(gate, _chart_lines(charts), TERMINAL)
    found += _guarded(gate, _account_lines(provisioning), PROVISIONING)
    found += _guarded(gate, _user_lines(provisioning), NO_ACCOUNT)
    found.append(web.get("/prov/configure/{secret}", provisioning.show_form))
    found.append(web.post("/prov/configure/{secret}", provisioning.take_form))
    return found


def _guarded(gate: Gate, lines: list[_Line], demands: Demands) -> list[web.RouteDef]:
    return [
        web.route(method, path, gate.guard(route, handler, demands))
        for method, path, route, handler in lines
    ]


def _terminal_lines(desk: TradeDesk, terminal: Terminal) -> list[_Line]:
    symbol = f"{_TERMINAL}/symbols/{{symbol}}"
    time = "time/{start}/{end}"
    by = "{by:ticket|position}/{ticket}"
    orders, deals = f"{_TERMINAL}/history-orders", f"{_TERMINAL}/history-deals"
    return [
        ("POST", f"{_TERMINAL}/trade", "trade", desk.trade),
        ("GET", f"{_TERMINAL}/positions", "positions", terminal.positions),
        ("GET", f"{_TERMINAL}/orders", "orders", terminal.orders),
        ("GET", f"{symbol}/current-price", "price", terminal.current_price),
        (
            "GET",
            f"{_TERMINAL}/account-information",
            "account-information",
            terminal.account_information,
        ),
        ("GET", f"{orders}/{time}", "history-orders", terminal.history_orders),
        ("GET", f"{deals}/{time}", "history-deals", terminal.history_deals),
        ("GET", f"{symbol}/specification", "specification", terminal.specification),
        ("GET", f"{_TERMINAL}/symbols", "symbols", terminal.symbols),
        ("POST", f"{_TERMINAL}/calculate-margin", "calculate-margin", terminal.calculate_margin),
        ("GET", f"{orders}/{by}", "history-orders", terminal.history_orders_by),
        ("GET", f"{deals}/{by}", "history-deals", terminal.history_deals_by),
        ("GET", f"{_TERMINAL}/positions/{{ticket}}", "positions", terminal.position),
        ("GET", f"{_TERMINAL}/orders/{{ticket}}", "orders", terminal.order),
        ("GET", f"{_TERMINAL}/server-time", "server-time", terminal.server_time),
        ("GET", f"{_TERMINAL}/credits", "credits", terminal.credits),
        ("GET", f"{symbol}/current-tick", "tick", terminal.current_tick),
        ("GET", f"{symbol}/current-book", "book", terminal.current_book),
    ]


def _chart_lines(charts: Charts) -> list[_Line]:
    past = f"{_DATA}/historical-market-data/symbols/{{symbol}}/timeframes/{{timeframe}}/candles"
    now = f"{_TERMINAL}/symbols/{{symbol}}/current-candles/{{timeframe}}"
    return [("GET", past, "candles", charts.candles), ("GET", now, "candle", charts.candle)]


def _account_lines(provisioning: Provisioning) -> list[_Line]:
    return [
        ("GET", _ACCOUNT, "get-account", provisioning.get_account),
        ("PUT", _ACCOUNT, "update-account", provisioning.update_account),
        ("DELETE", _ACCOUNT, "delete-account", provisioning.delete_account),
        ("POST", f"{_ACCOUNT}/deploy", "deploy", provisioning.deploy),
        ("POST", f"{_ACCOUNT}/undeploy", "undeploy", provisioning.undeploy),
        ("POST", f"{_ACCOUNT}/redeploy", "redeploy", provisioning.redeploy),
        (
            "PUT",
            f"{_ACCOUNT}/configuration-link",
            "configuration-link",
            provisioning.configuration_link,
        ),
    ]


def _user_lines(provisioning: Provisioning) -> list[_Line]:
    demo = f"{_USER}/provisioning-profiles/{{profile}}/mt5-demo-accounts"
    narrow = "/profile/users/current/narrow-down-auth-token"
    return [
        ("GET", _ACCOUNTS, "list-accounts", provisioning.list_accounts),
        ("POST", _ACCOUNTS, "create-account", provisioning.create_account),
        ("GET", f"{_USER}/regions", "regions", provisioning.regions),
        ("GET", f"{_USER}/quotas", "quotas", provisioning.quotas),
        ("GET", f"{_USER}/servers/mt-client-api", "client-server", provisioning.client_server),
        ("POST", demo, "demo-account", provisioning.demo_account),
        ("POST", narrow, "narrow-token", provisioning.narrow_token),
        ("GET", "/profile/access-rule-manifest", "manifest", provisioning.manifest),
    ]
