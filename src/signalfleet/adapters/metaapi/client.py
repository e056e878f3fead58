"""HTTP to MetaApi: one pool for the process, reads, and orders that are sent once or not at all.

The only file that knows the HTTP library.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Final, Self, TypeAlias

import aiohttp
import structlog
from yarl import URL

from signalfleet.adapters.metaapi import json_text, limits
from signalfleet.adapters.metaapi.answers import Answer
from signalfleet.adapters.metaapi.cache import SharedCache
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.trading.outcomes import Unknown
from signalfleet.ports.broker import Gate
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import NotSentError, TemporaryError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

TradeAnswer: TypeAlias = Answer | Unknown

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
    """One request's address, and whose token opens it; `region` is for counting only."""

    url: str
    token: Secret
    region: str
    kind: str = "read"


class _Call:
    """One order on its way. `sent` turns True directly before its first byte is written."""

    __slots__ = ("_gate", "sent")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.sent = False

    def check(self) -> None:
        try:
            self._gate()
        except NotSentError:
            raise
        except Exception as e:
            log.exception("order_gate_failed")
            raise NotSentError("the last check itself failed", reason="gate_failed") from e


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
        self._calls: set[asyncio.Task[TradeAnswer | NotSentError]] = set()
        self._closing = False
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
            trace_configs=[_gate_hooks()],
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

    async def get(self, target: Target) -> Answer:
        """Read once; TemporaryError when no whole answer came."""
        begun = self._clock.monotonic()
        try:
            answer = await self._send("GET", target, limits.READ_S)
        except (aiohttp.ClientError, OSError) as e:
            word = _word(e, _LOST, "transport")
            self._count(target, word)
            # Not chained: the library's errors may hold the request's headers.
            raise TemporaryError(f"MetaApi did not answer: {word}") from None
        finally:
            self._observe(target, begun)
        self._count(target, str(answer.status))
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
        call = _Call(gate)
        task = self._tasks.create_task(self._post(target, body, call), name="metaapi_trade")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        try:
            result = await asyncio.shield(task)
        except asyncio.CancelledError:
            if not call.sent:
                task.cancel()
            elif late is not None:
                _hand_over(task, late)
            raise
        if isinstance(result, NotSentError):
            raise result
        return result

    async def _post(self, target: Target, body: str, call: _Call) -> TradeAnswer | NotSentError:
        """Return instead of raising: an error in the task group would end everybody's calls."""
        begun = self._clock.monotonic()
        try:
            answer = await self._send("POST", target, limits.TRADE_S, body=body, call=call)
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
        self._count(target, str(answer.status))
        return answer

    def _failed(self, target: Target, call: _Call, error: BaseException) -> Unknown | NotSentError:
        if call.sent:
            cause = _word(error, _LOST, "transport")
            self._count(target, cause)
            return Unknown(cause=cause)
        reason = _word(error, _NOT_SENT, "not_sent")
        self._count(target, reason)
        return NotSentError(f"the order did not leave: {reason}", reason=reason)

    async def _send(
        self,
        method: str,
        target: Target,
        total_s: float,
        *,
        body: str | None = None,
        call: _Call | None = None,
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("open the client with `async with` first")
        token = target.token.reveal()
        async with self._session.request(
            method,
            URL(target.url, encoded=True),
            data=None if body is None else body.encode(),
            headers={"auth-token": token},
            allow_redirects=False,  # One could carry the token away, or repeat an order.
            timeout=aiohttp.ClientTimeout(
                total=total_s, connect=limits.CONNECT_S, ceil_threshold=limits.CEIL_THRESHOLD_S
            ),
            trace_request_ctx=call,
        ) as response:
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

    def _count(self, target: Target, code: str) -> None:
        self._metrics.count("signalfleet_metaapi_responses_total", region=target.region, code=code)

    def _observe(self, target: Target, begun: float) -> None:
        seconds = self._clock.monotonic() - begun
        self._metrics.observe("signalfleet_metaapi_request_seconds", seconds, kind=target.kind)


def _gate_hooks() -> aiohttp.TraceConfig:
    """Run an order's gate on its open connection, and again directly before its first byte."""

    async def on_connection(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        _params: aiohttp.TraceConnectionCreateEndParams | aiohttp.TraceConnectionReuseconnParams,
    ) -> None:
        if isinstance(context.trace_request_ctx, _Call):
            context.trace_request_ctx.check()

    async def on_headers(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        _params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        # Called before anything is put into the socket's buffer, in spite of its name.
        if isinstance(context.trace_request_ctx, _Call):
            context.trace_request_ctx.check()
            context.trace_request_ctx.sent = True

    hooks = aiohttp.TraceConfig()
    hooks.on_connection_create_end.append(on_connection)
    hooks.on_connection_reuseconn.append(on_connection)
    hooks.on_request_headers_sent.append(on_headers)
    return hooks


async def _read_limited(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, None if it is larger than any that we expect."""
    parts = bytearray()
    async for part in response.content.iter_any():
        parts += part
        if len(parts) > limits.BODY_BYTES:
            response.close()
            return None
    return bytes(parts)


def _hand_over(
    task: asyncio.Task[TradeAnswer | NotSentError], late: Callable[[TradeAnswer], None]
) -> None:
    def ended(task: asyncio.Task[TradeAnswer | NotSentError]) -> None:
        if task.cancelled():
            return
        result = task.result()
        if not isinstance(result, NotSentError):
            late(result)

    task.add_done_callback(ended)


def _word(
    error: BaseException, table: tuple[tuple[type[BaseException], str], ...], other: str
) -> str:
    return next((word for kind, word in table if isinstance(error, kind)), other)
