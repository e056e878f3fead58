"""HTTP to MetaApi: one pool for the process, reads, and orders that are sent once or not at all.

Only this file and `order_call` know the HTTP library.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Final, Self, cast

import aiohttp
import structlog
from yarl import URL

from signalfleet.adapters.metaapi import json_text, limits
from signalfleet.adapters.metaapi.answers import Answer, is_service_failure
from signalfleet.adapters.metaapi.cache import SharedCache
from signalfleet.adapters.metaapi.circuit import RegionCircuit
from signalfleet.adapters.metaapi.credits import CreditBook
from signalfleet.adapters.metaapi.lanes import Lane, Permits
from signalfleet.adapters.metaapi.order_call import SENDING, GatedRequest, OrderCall, TradeAnswer
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.trading.outcomes import Unknown
from signalfleet.ports.broker import Gate
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import NotSentError, TemporaryError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

_NO_CONTENT: Final = 204

# The first class that fits counts.
_NOT_SENT: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, "dns"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientConnectorError, "refused"),
    (TimeoutError, "connect_timeout"),
    (aiohttp.InvalidURL, "invalid_url"),
)
_LOST: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (TimeoutError, "timeout"),
    (aiohttp.ServerDisconnectedError, "disconnected"),
    (aiohttp.ClientPayloadError, "cut_body"),
    (aiohttp.ClientResponseError, "bad_response"),
    (OSError, "connection_lost"),
    (asyncio.CancelledError, "cancelled"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One request's address, and whose token opens it; `region` is for counting only.

    Orders use theirs again and again: the address is read once, and the library keeps its parts.
    """

    url: str
    token: Secret
    region: str
    kind: str = "read"
    lane: Lane = Lane.LOOK
    address: URL = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", URL(self.url, encoded=True))


class MetaApiClient:
    """The process's HTTP session. Use it as an async context; nothing here repeats an order.

    `client_name` chooses MetaApi's front server: fixed for a worker, so that its credits there can
    be foretold.
    """

    def __init__(self, *, clock: Clock, metrics: Metrics, client_name: str | None = None) -> None:
        self._clock = clock
        self._metrics = metrics
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "signalfleet",
        }
        if client_name is not None:
            self._headers["client-id"] = client_name
        self._session: aiohttp.ClientSession | None = None
        self._tasks = asyncio.TaskGroup()
        self._calls: set[asyncio.Task[None]] = set()
        self._closing = False
        self._permits = Permits(limits.CALLS, limits.ENTRY_CALLS)
        self._regions: dict[str, RegionCircuit] = {}
        self.credits = CreditBook()
        self.instruments: SharedCache[tuple[str, str], Instrument] = SharedCache(
            clock, limits.INSTRUMENT_AGE_S
        )
        self.quotes: SharedCache[tuple[str, str, str], Quote] = SharedCache(
            clock, limits.QUOTE_AGE_S
        )

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=limits.POOL,
                limit_per_host=limits.POOL_PER_HOST,
                ttl_dns_cache=limits.DNS_CACHE_S,
                keepalive_timeout=limits.KEEPALIVE_S,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers=self._headers,
            request_class=GatedRequest,
        )
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let orders that are under way end for a few seconds, then close."""
        self._closing = True
        try:
            if self._calls:
                await asyncio.wait(self._calls, timeout=limits.CLOSE_GRACE_S)
        finally:
            for call in self._calls:
                call.cancel()
            await self._tasks.__aexit__(None, None, None)
            if self._session is not None:
                await self._session.close()

    def is_region_failing(self, region: str) -> bool:
        """Tell whether so many calls to a region fail that entries had better not be sent."""
        circuit = self._regions.get(region)
        return circuit is not None and circuit.is_open(self._clock.monotonic())

    async def get(self, target: Target) -> Answer:
        """Read once; TemporaryError when no whole answer came."""
        return await self.ask("GET", target)

    async def ask(
        self,
        method: str,
        target: Target,
        *,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        total_s: float | None = None,
    ) -> Answer:
        """Ask once for something that is no order; TemporaryError when no whole answer came."""
        if self._closing:
            raise TemporaryError("the process is stopping")
        limit_s = limits.READ_S if total_s is None else total_s
        await self._permits.acquire(target.lane)
        begun = self._clock.monotonic()
        try:
            answer = await self._send(method, target, limit_s, body=body, headers=headers)
        except (aiohttp.ClientError, OSError) as e:
            word = _word(e, _LOST, "transport")
            self._count(target, word, failed=True)
            # Not chained: the library's errors may hold the request's headers.
            raise TemporaryError(f"MetaApi did not answer: {word}") from None
        finally:
            self._permits.release(target.lane)
            self._observe(target, begun)
        self._count(target, str(answer.status), failed=is_service_failure(answer))
        return answer

    async def trade(
        self,
        target: Target,
        body: str,
        gate: Gate,
        late: Callable[[TradeAnswer], None] | None = None,
    ) -> TradeAnswer:
        """Send one order once. Raises NotSentError when provably no byte of it left.

        When the caller is cancelled after the write began, the call goes on by itself; its result
        then goes to `late`. Before that, nothing is sent any more.
        """
        if self._closing:
            raise NotSentError("the process is stopping", reason="closing")
        call = OrderCall(body.encode(), gate, asyncio.get_running_loop().create_future(), late)
        task = self._tasks.create_task(self._run(target, call), name="metaapi_trade")
        self._calls.add(task)
        try:
            result = await call.done
        except asyncio.CancelledError:
            # Only the wait ended: the call is a task of its own, and may have ended just now.
            if call.done.done() and not call.done.cancelled():
                _hand_over(call.done.result(), late)
            elif not call.sent:
                task.cancel()
            raise
        if isinstance(result, NotSentError):
            raise result
        return result

    async def _run(self, target: Target, call: OrderCall) -> None:
        SENDING.set(call)  # In this task's own context.
        try:
            result = await self._post(target, call)
        finally:
            self._calls.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        if not call.done.done():
            call.done.set_result(result)
        else:
            _hand_over(result, call.late)

    async def _post(self, target: Target, call: OrderCall) -> TradeAnswer | NotSentError:
        """Return instead of raising: an error in the task group would end everybody's calls."""
        begun = self._clock.monotonic()
        try:
            await self._permits.acquire(target.lane)
            try:
                # The request itself writes the body: it asks for the order that is under way.
                length = {"Content-Length": str(len(call.body))}
                answer = await self._send("POST", target, limits.TRADE_S, headers=length)
            finally:
                self._permits.release(target.lane)
        except NotSentError as e:
            return e
        except asyncio.CancelledError:
            if not self._closing:
                raise
            return self._failed(target, call, asyncio.CancelledError())
        except Exception as e:  # noqa: BLE001  # Whatever it is, `sent` alone decides what it proves.
            return self._failed(target, call, e)
        finally:
            self._observe(target, begun)
        self._count(target, str(answer.status), failed=is_service_failure(answer))
        return answer

    def _failed(
        self, target: Target, call: OrderCall, error: BaseException
    ) -> Unknown | NotSentError:
        if call.sent:
            cause = _word(error, _LOST, "transport")
            self._count(target, cause, failed=cause != "cancelled")
            return Unknown(cause=cause)
        reason = _word(error, _NOT_SENT, "not_sent")
        self._count(target, reason, failed=True)
        return NotSentError(f"the order did not leave: {reason}", reason=reason)

    async def _send(
        self,
        method: str,
        target: Target,
        total_s: float,
        *,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("open the client with `async with` first")
        token = target.token.reveal()
        async with self._session.request(
            method,
            target.address,
            data=None if body is None else body.encode(),
            headers={"auth-token": token, **(headers or {})},
            allow_redirects=False,  # One could carry the token away, or repeat an order.
            timeout=_timeout(total_s, limits.CONNECT_S),
        ) as response:
            if response.status == _NO_CONTENT:
                return Answer(status=response.status)
            raw = await _read_limited(response)
            retry_after = response.headers.get("Retry-After")
            if raw is None or "json" not in response.content_type:
                return Answer(status=response.status, readable=False, retry_after=retry_after)
            raw = raw.replace(token.encode(), b"***")
            try:
                payload = json_text.parse(raw)
            except ValueError:
                return Answer(status=response.status, readable=False, retry_after=retry_after)
            return Answer(status=response.status, payload=payload, retry_after=retry_after)

    def _count(self, target: Target, code: str, *, failed: bool) -> None:
        region = target.region
        self._metrics.count("signalfleet_metaapi_responses_total", region=region, code=code)
        if target.kind == "provisioning":
            return
        circuit = self._regions.get(region)
        if circuit is None:
            circuit = self._regions[region] = RegionCircuit()
        now = self._clock.monotonic()
        circuit.count(now, failed=failed)
        if failed or circuit.was_open:
            self._show_circuit(region, circuit, now)

    def _show_circuit(self, region: str, circuit: RegionCircuit, now: float) -> None:
        is_open = circuit.is_open(now)
        if is_open != circuit.was_open:
            circuit.was_open = is_open
            self._metrics.gauge("signalfleet_metaapi_circuit", float(is_open), region=region)
            log.warning("metaapi_region_circuit", region=region, is_open=is_open)

    def _observe(self, target: Target, begun: float) -> None:
        seconds = self._clock.monotonic() - begun
        self._metrics.observe("signalfleet_metaapi_request_seconds", seconds, kind=target.kind)


def _hand_over(
    result: TradeAnswer | NotSentError, late: Callable[[TradeAnswer], None] | None
) -> None:
    if late is not None and not isinstance(result, NotSentError):
        late(result)


@lru_cache(maxsize=16)
def _timeout(total_s: float, connect_s: float) -> aiohttp.ClientTimeout:
    # `connect` would also count waiting for the pool, which our permits make needless, and costs a
    # timer for each call on a kept connection.
    return aiohttp.ClientTimeout(
        total=total_s, sock_connect=connect_s, ceil_threshold=limits.CEIL_THRESHOLD_S
    )


async def _read_limited(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, None if it is larger than any that we expect."""
    length = response.content_length
    is_packed = "Content-Encoding" in response.headers
    if length is not None and length <= limits.BODY_BYTES and not is_packed:
        return await response.read()
    parts = bytearray()
    async for part in response.content.iter_any():
        parts += part
        if len(parts) > limits.BODY_BYTES:
            response.close()
            return None
    return bytes(parts)


def _word(
    error: BaseException, table: tuple[tuple[type[BaseException], str], ...], other: str
) -> str:
    return next((word for kind, word in table if isinstance(error, kind)), other)
