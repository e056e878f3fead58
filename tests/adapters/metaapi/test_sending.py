"""What a broken connection proves about an order, and when the last check stops it."""

import asyncio
import socket
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]

import aiohttp
import pytest

from kit.metaapi_rig import ACCOUNT, DONE, TERMINAL, TOKEN, Rig, another
from kit.raw_http import Reply, answer, hang, reset
from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.client import MetaApiClient, Target
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import OpenOrder
from signalfleet.domain.trading.outcomes import Accepted, Unknown
from signalfleet.ports.errors import NotSentError
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback

TRADE = f"{TERMINAL}/trade"
ENTRY = OpenOrder(
    symbol="GBPUSD",
    side=Side.BUY,
    kind=OrderKind.MARKET,
    lots=Lots.of("0.07"),
    price=None,
    stop_loss=None,
    take_profit=None,
    client_id=ClientId("S165_EJIQROFJUNEUDZLA_E0"),
    magic=1645231676,
)


def open_gate() -> None:
    pass


class Gate:
    """Stops the order at the nth time it is asked."""

    def __init__(self, stop_at: int, error: Exception | None = None) -> None:
        self.asked = 0
        self._stop_at = stop_at
        self._error = error or NotSentError("the lease ran out", reason="lease")

    def __call__(self) -> None:
        self.asked += 1
        if self.asked == self._stop_at:
            raise self._error


async def test_an_order_is_sent_once_with_the_token_in_a_header_only(rig: Rig) -> None:
    outcome = await rig.broker.submit(ENTRY, open_gate)
    assert outcome == Accepted(
        code="TRADE_RETCODE_DONE", order_id="46870472", position_id="46870472"
    )
    (request,) = rig.stub.requests
    assert (request.method, request.target) == ("POST", TRADE)
    assert request.headers["auth-token"] == TOKEN
    assert request.headers["client-id"] == "w1"
    assert request.headers["content-type"] == "application/json"
    assert TOKEN not in request.target


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (reset, "connection_lost"),
        (hang, "timeout"),
        (answer(DONE, length=10_000), "cut_body"),
        (answer(raw=b"{not json"), "unreadable"),
        (answer(raw=b'{"numericCode": NaN}'), "unreadable"),
        (answer(raw=b""), "unreadable"),
        (answer(raw=b"[" * 100_000), "unreadable"),
        (answer(DONE, content_type="text/html"), "unreadable"),
        (answer([]), "no_code"),
        (answer(status=302, headers={"Location": "/elsewhere"}), "http_302"),
        (answer(raw=b"<html>", status=502, content_type="text/html"), "http_502"),
        (answer(status=429), "http_429"),
        (answer(raw=b"x" * (limits.BODY_BYTES + 1)), "unreadable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_without_a_whole_answer_the_order_is_unknown(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, reply: Reply, cause: str
) -> None:
    monkeypatch.setattr(limits, "TRADE_S", 0.4)
    rig.stub.on(TRADE, reply)
    assert await rig.broker.submit(ENTRY, open_gate) == Unknown(cause=cause)
    assert len(rig.stub.requests) == 1


async def test_a_kept_connection_that_the_server_closed_does_not_repeat_the_order(rig: Rig) -> None:
    rig.stub.on(TRADE, answer(DONE, length=len(b"")))
    first = await rig.broker.submit(ENTRY, open_gate)
    rig.stub.on(TRADE, reset)
    second = await rig.broker.submit(ENTRY, open_gate)
    assert isinstance(first, Unknown)
    assert isinstance(second, Unknown)
    assert [request.method for request in rig.stub.requests].count("POST") == 2


async def test_a_reset_before_anything_was_read_may_have_been_a_delivery(rig: Rig) -> None:
    rig.stub.reset_on_connect = True
    outcome = await rig.broker.submit(ENTRY, open_gate)
    assert isinstance(outcome, Unknown)
    assert rig.stub.requests == []


def a_closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def send(client: MetaApiClient, url: str) -> object:
    target = Target(url=f"{url}/trade", token=Secret(TOKEN), region="x", kind="trade")
    return await client.trade(target, "{}", open_gate)


async def test_a_refused_connection_proves_that_nothing_left(rig: Rig) -> None:
    with pytest.raises(NotSentError) as caught:
        await send(rig.client, f"http://127.0.0.1:{a_closed_port()}")
    assert caught.value.reason == "refused"


async def test_an_unknown_host_proves_that_nothing_left(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_such_host(*_args: object, **_kwargs: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_such_host)
    with pytest.raises(NotSentError) as caught:
        await send(rig.client, "http://mt-client.example")
    assert caught.value.reason == "dns"


async def test_a_failed_handshake_proves_that_nothing_left(rig: Rig) -> None:
    async def plain_text(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 this speaks no TLS\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain_text, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotSentError) as caught:
            await send(rig.client, f"https://127.0.0.1:{port}")
    assert caught.value.reason == "tls"


async def test_an_address_that_is_none_proves_that_nothing_left(rig: Rig) -> None:
    with pytest.raises(NotSentError):
        await send(rig.client, "ftp://127.0.0.1")


async def test_waiting_too_long_for_a_connection_proves_that_nothing_left(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = rig.client._session.connector if rig.client._session else None
    assert isinstance(connector, aiohttp.TCPConnector)
    monkeypatch.setattr(connector, "_limit_per_host", 1)
    rig.stub.on(TRADE, hang)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(rig.broker.submit(ENTRY, open_gate))
        await rig.stub.until(lambda: len(rig.stub.requests) == 1)
        monkeypatch.setattr(limits, "TRADE_S", 0.2)  # For the second one only.
        with pytest.raises(NotSentError) as caught:
            await rig.broker.submit(ENTRY, open_gate)
        first.cancel()
    assert caught.value.reason == "connect_timeout"
    assert len(rig.stub.requests) == 1


async def test_the_gate_on_a_new_connection_stops_every_byte(rig: Rig) -> None:
    with pytest.raises(NotSentError) as caught:
        await rig.broker.submit(ENTRY, Gate(1))
    assert caught.value.reason == "lease"
    await rig.stub.until(lambda: rig.stub.connections == 1)
    await rig.broker.symbols()
    assert rig.stub.paths() == [f"{TERMINAL}/symbols"]
    counted = rig.metrics.labels_of("signalfleet_broker_not_sent_total")
    assert counted == [{"reason": "lease"}]


async def test_the_gate_and_the_write_are_one_step(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever runs next, the order is with the socket: nothing comes between check and bytes."""
    await rig.broker.symbols()
    write = _SelectorSocketTransport.write
    posts: list[bytes] = []
    seen: list[int] = []

    def counted(transport: _SelectorSocketTransport, data: bytes) -> None:
        if bytes(data).startswith(b"POST"):
            posts.append(data)
        write(transport, data)

    def gate() -> None:
        asyncio.get_running_loop().call_soon(lambda: seen.append(len(posts)))

    monkeypatch.setattr(_SelectorSocketTransport, "write", counted)
    assert isinstance(await rig.broker.submit(ENTRY, gate), Accepted)
    assert seen == [1]
    assert b'"actionType":"ORDER_TYPE_BUY"' in posts[0]


async def test_the_gate_on_a_kept_connection_stops_every_byte(rig: Rig) -> None:
    await rig.broker.symbols()
    before = rig.stub.bytes_read
    with pytest.raises(NotSentError):
        await rig.broker.submit(ENTRY, Gate(1))
    assert rig.stub.bytes_read == before
    assert rig.stub.connections == 1


async def test_the_gate_is_asked_when_the_connection_is_open_already(rig: Rig) -> None:
    seen: list[tuple[int, int]] = []
    await rig.broker.submit(
        ENTRY, lambda: seen.append((len(rig.client._calls), rig.stub.bytes_read))
    )
    assert seen == [(1, 0)]
    assert rig.stub.connections == 1


async def test_a_gate_that_fails_itself_stops_the_order(rig: Rig) -> None:
    with pytest.raises(NotSentError) as caught:
        await rig.broker.submit(ENTRY, Gate(1, ZeroDivisionError()))
    assert caught.value.reason == "gate_failed"
    assert rig.stub.requests == []


@pytest.mark.parametrize("turns", range(24))
async def test_a_cancelled_caller_has_either_sent_nothing_or_hears_the_outcome_later(
    rig: Rig, turns: int
) -> None:
    """Cancel at each turn of the loop on the way to the first byte."""
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(rig.broker.submit(ENTRY, open_gate))
        for _ in range(turns):
            await asyncio.sleep(0)
        sending.cancel()
    if rig.client._calls:
        await asyncio.wait(rig.client._calls)
    # A read on the same server: what left before it has arrived by then.
    await rig.broker.symbols()
    orders = [path for path in rig.stub.paths() if path == TRADE]
    heard = len(rig.late) + (not sending.cancelled())
    assert len(orders) == heard


async def test_a_caller_cancelled_before_the_connection_is_open_sends_nothing(rig: Rig) -> None:
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(rig.broker.submit(ENTRY, open_gate))
        await asyncio.sleep(0)
        sending.cancel()
    await rig.broker.symbols()
    assert rig.stub.paths() == [f"{TERMINAL}/symbols"]
    assert rig.late == []


async def test_an_order_of_a_cancelled_caller_goes_on_and_its_outcome_is_handed_over(
    rig: Rig,
) -> None:
    release = asyncio.Event()

    async def later(writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await answer(DONE)(writer)

    rig.stub.on(TRADE, later)
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(rig.broker.submit(ENTRY, open_gate))
        await rig.stub.until(lambda: len(rig.stub.requests) == 1)
        sending.cancel()
    assert sending.cancelled()
    release.set()
    async with asyncio.timeout(5):
        await asyncio.wait(rig.client._calls)
    await asyncio.sleep(0)
    assert rig.late == [
        (ENTRY, Accepted(code="TRADE_RETCODE_DONE", order_id="46870472", position_id="46870472"))
    ]


async def test_closing_waits_for_an_order_and_then_calls_it_unknown(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLOSE_GRACE_S", 0.1)
    rig.stub.on(TRADE, hang)
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(rig.broker.submit(ENTRY, open_gate))
        await rig.stub.until(lambda: len(rig.stub.requests) == 1)
        await rig.client.__aexit__(None, None, None)
    assert sending.result() == Unknown(cause="cancelled")
    with pytest.raises(NotSentError):
        await rig.broker.submit(ENTRY, open_gate)


async def test_a_token_in_an_answer_is_blotted_out(rig: Rig) -> None:
    echo = {"id": 1, "error": "ForbiddenError", "message": f"{TOKEN} may not use {ACCOUNT}"}
    rig.stub.on(TRADE, answer(echo, status=403))
    outcome = await rig.broker.submit(ENTRY, open_gate)
    assert TOKEN not in repr(outcome)
    assert "***" in repr(outcome)


async def test_a_thousand_orders_at_once_go_out_once_each(rig: Rig) -> None:
    rig.stub.default = answer(DONE)
    brokers = [another(rig, f"account-{number}", f"token-{number}") for number in range(1000)]
    async with asyncio.TaskGroup() as tasks:
        sending = [tasks.create_task(broker.submit(ENTRY, open_gate)) for broker in brokers]
    assert all(isinstance(task.result(), Accepted) for task in sending)
    assert len({request.path for request in rig.stub.requests}) == 1000
    assert len(rig.stub.requests) == 1000
