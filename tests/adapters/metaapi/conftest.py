"""A MetaApi broker of the product on a server that can break off anywhere."""

from collections.abc import AsyncIterator

import pytest

from kit.counting_metrics import CountingMetrics
from kit.metaapi_rig import ACCOUNT, TOKEN, Rig, serve_account
from kit.raw_http import raw_http
from kit.wall_clock import WallClock
from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.domain.trading.orders import BrokerOrder
from signalfleet.domain.trading.outcomes import Outcome
from signalfleet.ports.secrets import Secret


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(limits, "CLOSE_GRACE_S", 0.1)  # For servers that never answer.
    clock, metrics = WallClock(), CountingMetrics()
    late: list[tuple[BrokerOrder, Outcome]] = []
    async with (
        raw_http() as stub,
        MetaApiClient(clock=clock, metrics=metrics, client_name="w1") as client,
    ):
        serve_account(stub)
        urls = MetaApiUrls(
            provisioning=f"{stub.url}/prov",
            client=f"{stub.url}/client/{{region}}",
            public_only=False,
        )
        broker = MetaApiBroker(
            client,
            account_id=ACCOUNT,
            token=Secret(TOKEN),
            region="new-york",
            urls=urls,
            clock=clock,
            metrics=metrics,
            late=lambda order, outcome: late.append((order, outcome)),
        )
        yield Rig(stub, client, broker, metrics, late)
