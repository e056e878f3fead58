"""A MetaApi broker on a stub server, and the payloads that MetaApi's documents show."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kit.canaries import planted
from kit.counting_metrics import CountingMetrics
from kit.raw_http import RawHttp, answer
from kit.wall_clock import WallClock
from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.domain.trading.orders import BrokerOrder
from signalfleet.domain.trading.outcomes import Outcome
from signalfleet.ports.secrets import Secret

TOKEN = planted("metaapi-rig")
ACCOUNT = "1eda642a-a9a3-457c-99af-3bc5e8d5c4c9"
A = f"/users/current/accounts/{ACCOUNT}"
PROV = f"/prov{A}"
TERMINAL = f"/client/new-york{A}"
SINCE = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

# metaapi.cloud/docs/provisioning/api/account/readAccount: the fields that are read.
STATE: dict[str, Any] = {
    "_id": ACCOUNT,
    "state": "DEPLOYED",
    "connectionStatus": "CONNECTED",
    "region": "new-york",
    "server": "ICMarketsSC-Demo",
    "baseCurrency": "USD",
}
# metaapi.cloud/docs/client/models/metatraderAccountInformation, shape of the example.
INFORMATION: dict[str, Any] = {
    "platform": "mt5",
    "broker": "True ECN Trading Ltd",
    "currency": "USD",
    "server": "ICMarketsSC-Demo",
    "balance": 7319.9,
    "equity": 7306.649913200001,
    "margin": 184.1,
    "freeMargin": 7120.22,
    "leverage": 100,
    "marginLevel": 3967.58283542,
    "tradeAllowed": True,
    "marginMode": "ACCOUNT_MARGIN_MODE_RETAIL_HEDGING",
    "type": "ACCOUNT_TRADE_MODE_DEMO",
}
# metaapi.cloud/docs/client/models/metatraderPosition, shape of the example.
POSITION: dict[str, Any] = {
    "id": "46214692",
    "type": "POSITION_TYPE_BUY",
    "symbol": "GBPUSD",
    "magic": 1645231676,
    "time": "2026-03-02T10:05:11.000Z",
    "brokerTime": "2026-03-02 12:05:11.000",
    "updateTime": "2026-03-02T10:05:11.000Z",
    "openPrice": 1.26101,
    "currentPrice": 1.24883,
    "currentTickValue": 1,
    "volume": 0.07,
    "swap": 0,
    "profit": -85.25999999999966,
    "commission": -0.25,
    "clientId": "S165_EJIQROFJUNEUDZLA_E0",
    "stopLoss": 1.17721,
    "reason": "POSITION_REASON_EXPERT",
}
# metaapi.cloud/docs/client/models/metatraderOrder, shape of the example.
ORDER: dict[str, Any] = {
    "id": "46871284",
    "type": "ORDER_TYPE_BUY_LIMIT",
    "state": "ORDER_STATE_PLACED",
    "symbol": "AUDNZD",
    "magic": 123456,
    "platform": "mt5",
    "time": "2026-03-02T10:20:53.805Z",
    "openPrice": 1.03,
    "currentPrice": 1.05206,
    "volume": 0.01,
    "currentVolume": 0.01,
    "comment": "COMMENT2",
}
# metaapi.cloud/docs/client/restApi/api/retrieveHistoricalData/readHistoryOrdersByTimeRange.
HISTORY_ORDER: dict[str, Any] = {
    "clientId": "S165_EJIQROFJUNEUDZLA_E0",
    "currentPrice": 1.261,
    "currentVolume": 0,
    "doneTime": "2026-03-02T10:05:11.000Z",
    "id": "46214692",
    "magic": 1645231676,
    "platform": "mt5",
    "positionId": "46214692",
    "state": "ORDER_STATE_FILLED",
    "symbol": "GBPUSD",
    "time": "2026-03-02T10:05:11.000Z",
    "type": "ORDER_TYPE_BUY",
    "volume": 0.07,
}
# metaapi.cloud/docs/client/models/metatraderDeal, shape of the example.
DEAL: dict[str, Any] = {
    "clientId": "S165_EJIQROFJUNEUDZLA_E0",
    "commission": -0.25,
    "entryType": "DEAL_ENTRY_IN",
    "id": "33230099",
    "magic": 1645231676,
    "orderId": "46214692",
    "platform": "mt5",
    "positionId": "46214692",
    "price": 1.26101,
    "profit": 0,
    "swap": 0,
    "symbol": "GBPUSD",
    "time": "2026-03-02T10:05:11.000Z",
    "type": "DEAL_TYPE_BUY",
    "volume": 0.07,
    "reason": "DEAL_REASON_EXPERT",
}
# metaapi.cloud/docs/client/models/metatraderSymbolSpecification, shape of the example.
SPECIFICATION: dict[str, Any] = {
    "symbol": "GBPUSD",
    "tickSize": 0.00001,
    "minVolume": 0.01,
    "maxVolume": 200,
    "volumeStep": 0.01,
    "contractSize": 100000,
    "digits": 5,
    "point": 0.00001,
    "pipSize": 0.0001,
    "stopsLevel": 0,
    "freezeLevel": 0,
    "baseCurrency": "GBP",
    "profitCurrency": "USD",
    "tradeMode": "SYMBOL_TRADE_MODE_FULL",
    "fillingModes": ["SYMBOL_FILLING_FOK"],
    "allowedExpirationModes": ["SYMBOL_EXPIRATION_GTC", "SYMBOL_EXPIRATION_SPECIFIED"],
}
# metaapi.cloud/docs/client/models/metatraderSymbolPrice, shape of the example.
PRICE: dict[str, Any] = {
    "symbol": "GBPUSD",
    "bid": 1.24883,
    "ask": 1.24891,
    "profitTickValue": 1,
    "lossTickValue": 1.00002,
    "time": "2026-03-02T10:05:11.000Z",
    "brokerTime": "2026-03-02 12:05:11.000",
}
# metaapi.cloud/docs/client/models/metatraderTradeResponse; its ids come as numbers too.
DONE: dict[str, Any] = {
    "numericCode": 10009,
    "stringCode": "TRADE_RETCODE_DONE",
    "message": "Request completed",
    "orderId": "46870472",
    "positionId": "46870472",
}


# metaapi.cloud/docs/client/models/tooManyRequestsError, `metadata` as in the example.
TOO_MANY: dict[str, Any] = {
    "id": 1,
    "error": "TooManyRequestsError",
    "message": "The getAccountInformation API allows 1000 cpu credits per 1s",
    "metadata": {
        "total": 1000,
        "available": 0,
        "needed": 50,
        "resourceId": "user:userId",
        "multiplierId": "accountCount:userId",
        "exceededConfig": "perUser",
        "exceededPeriod": "1s",
        "recommendedRetryTime": "2022-05-31T09:00:52.361Z",
        "method": "getAccountInformation",
    },
}


def error(name: str = "ValidationError", **more: object) -> dict[str, object]:
    return {"id": 1, "error": name, "message": "No.", **more}


def serve_account(stub: RawHttp) -> None:
    """Answer every read as for a healthy account with one of each thing."""
    stub.on(PROV, answer(STATE))
    for path, payload in (
        ("/account-information", INFORMATION),
        ("/positions", [POSITION]),
        ("/orders", [ORDER]),
        ("/history-orders", [HISTORY_ORDER]),
        ("/history-deals", [DEAL]),
        ("/symbols", ["EURUSD", "GBPUSD"]),
        ("/symbols/GBPUSD/specification", SPECIFICATION),
        ("/symbols/GBPUSD/current-price", PRICE),
        ("/trade", DONE),
    ):
        stub.on(TERMINAL + path, answer(payload))


@dataclass(slots=True)
class Rig:
    stub: RawHttp
    client: MetaApiClient
    broker: MetaApiBroker
    metrics: CountingMetrics
    late: list[tuple[BrokerOrder, Outcome]]


def another(
    rig: Rig, account_id: str = "b", token: str = "another", urls: MetaApiUrls | None = None
) -> MetaApiBroker:
    return MetaApiBroker(
        rig.client,
        account_id=account_id,
        token=Secret(token),
        region="new-york",
        urls=urls
        or MetaApiUrls(
            provisioning=f"{rig.stub.url}/prov",
            client=f"{rig.stub.url}/client/{{region}}",
            public_only=False,
        ),
        clock=WallClock(),
        metrics=rig.metrics,
    )
