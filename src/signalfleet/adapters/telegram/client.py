"""The only subclass of the library's client: asks the guard before, shows the tap afterwards."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from typing import Any, NoReturn

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from telethon import TelegramClient, functions
from telethon.crypto import rsa
from telethon.errors import FloodWaitError

from signalfleet.adapters.telegram.connection import GatedConnection, Link
from signalfleet.adapters.telegram.guard import ForbiddenRequestError, Role, each_request, forbidden
from signalfleet.adapters.telegram.limits import (
    ENTITIES_MAX,
    ENTITY_BYTES,
    FORBIDDEN_REQUESTS,
    TCP_CONNECT_S,
    UPDATE_BYTES,
    UPDATES_MAX,
)
from signalfleet.adapters.telegram.session import FleetSession
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.errors import SignInRequiredError
from signalfleet.ports.metrics import Metrics

log = structlog.get_logger()

Tap = Callable[[Any, Any], None]
"""Called with a request and its answer; the answer is the exception where it failed."""
Brake = Callable[[], float]
"""Returns the seconds for which nothing may be asked."""


class _LibraryLog(logging.Handler):
    """Passes on that the library complained, never about what: its arguments quote updates."""

    def emit(self, record: logging.LogRecord) -> None:
        words = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        kind = record.exc_info[0] if record.exc_info else None
        say = log.warning if record.levelno >= logging.ERROR else log.debug
        say(
            "telegram_library_complained",
            where=record.name,
            template=words[:100],
            error=kind.__name__ if kind else None,
        )


def _library_logger() -> logging.Logger:
    # The library makes children of what it is given, which works for named loggers only.
    logger = logging.getLogger("signalfleet.telethon")  # noqa: TID251
    if not logger.handlers:
        logger.addHandler(_LibraryLog())
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    return logger


def public_key_of(pem: str) -> str:
    """Return an RSA public key in the form that the library reads; ValueError if it is none."""
    try:
        key = load_pem_public_key(pem.strip().encode("ascii"))
    except UnsupportedAlgorithm as error:
        raise ValueError("a key of an unknown kind") from error
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA key")  # noqa: TRY004 - the text is wrong, not its type
    return key.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode("ascii")


def trust_server(settings: TelegramSettings) -> None:
    """Make the library trust the own server's key, and no longer Telegram's."""
    if settings.server is None:
        return
    known = rsa._server_keys  # noqa: SLF001
    fingerprint, key = _library_key(settings.server.public_key_pem)
    if known.keys() != {fingerprint}:
        known.clear()
    known[fingerprint] = (key, False)


@lru_cache(maxsize=8)
def _library_key(pem: str) -> tuple[int, Any]:
    """Read a key once, and not again for each of a thousand clients."""
    key = rsa.rsa.PublicKey.load_pkcs1(public_key_of(pem))
    return rsa._compute_fingerprint(key), key  # noqa: SLF001


class _Updates:
    """What came and was not looked at yet. The library's own queue has no end.

    `get` gives a future and no coroutine: waiting for one with a limit takes a task.
    """

    __slots__ = ("_items", "_waiter", "overflowed")

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._waiter: asyncio.Future[Any] | None = None
        self.overflowed: Callable[[], None] | None = None

    def qsize(self) -> int:
        return len(self._items)

    def put_nowait(self, item: Any) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(item)
            return
        if len(self._items) >= UPDATES_MAX:
            self._items.clear()
            if self.overflowed is not None:
                self.overflowed()
        self._items.append(item)

    def get(self) -> "asyncio.Future[Any]":
        waiter = asyncio.get_running_loop().create_future()
        if self._items:
            waiter.set_result(self._items.pop(0))
        else:
            self._waiter = waiter
        return waiter


class GuardedClient(TelegramClient):
    """A client that can only read. `role` says what it may ask."""

    _config = None  # Not shared with other clients: it holds the addresses of one server.

    def __init__(
        self,
        session: FleetSession,
        settings: TelegramSettings,
        link: Link,
        metrics: Metrics,
        *,
        role: Role,
    ) -> None:
        trust_server(settings)
        super().__init__(
            session,
            settings.api_id,
            settings.api_hash.reveal(),
            connection=GatedConnection,
            # The library leaves an address of the other kind for one of Telegram's own.
            use_ipv6=":" in (session.server_address or ""),
            connection_retries=None,
            retry_delay=1,
            auto_reconnect=True,
            timeout=TCP_CONNECT_S,
            request_retries=1,
            raise_last_call_error=True,
            flood_sleep_threshold=0,
            catch_up=False,
            receive_updates=True,
            sequential_updates=True,
            entity_cache_limit=ENTITIES_MAX,
            base_logger=_library_logger(),
            device_model=settings.device_model,
            system_version=settings.system_version,
            app_version=settings.app_version,
            lang_code=settings.lang_code,
            system_lang_code=settings.lang_code,
        )
        self._connection = partial(GatedConnection, link)
        self.parse_mode = None
        self.role = role
        self.tap: Tap | None = None
        self.brake: Brake | None = None
        self.clicked: Any = None
        self._metrics = metrics
        self._pings = 0
        self._updates_queue = self._sender._updates_queue = _Updates()  # noqa: SLF001
        self._guard_sender()

    def _guard_sender(self) -> None:
        """Refuse at the last step as well: not everything in the library passes `_call`."""
        send = self._sender.send

        def guarded(request: Any, ordered: bool = False) -> Any:  # noqa: FBT001, FBT002
            self._refuse_foreign(request)
            return send(request, ordered)

        self._sender.send = guarded

    async def _keepalive_loop(self) -> None:
        """End at once: the reader pings sooner, and twice would be twice the work."""

    async def _create_exported_sender(self, dc_id: int) -> NoReturn:
        raise ForbiddenRequestError(f"no connection to data centre {dc_id} is needed for reading")

    async def _call(
        self,
        sender: Any,
        request: Any,
        ordered: bool = False,  # noqa: FBT001, FBT002
        flood_sleep_threshold: int | None = None,
    ) -> Any:
        self._let_pass(request)
        try:
            answer = await super()._call(sender, request, ordered, flood_sleep_threshold)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # The library cancels what waits when it ends; nobody cancelled our task.
            raise ConnectionError("the connection was closed") from None
        except Exception as error:
            self._show(request, error)
            raise
        self._show(request, answer)
        return answer

    def _refuse_foreign(self, request: Any) -> None:
        refused = forbidden(self.role, request, clicked=self.clicked)
        if refused:
            self._metrics.count(FORBIDDEN_REQUESTS)
            log.error("telegram_request_forbidden", role=self.role, requests=refused)
            raise ForbiddenRequestError(f"{', '.join(refused)} is not for a {self.role}")

    def _let_pass(self, request: Any) -> None:
        self._refuse_foreign(request)
        wait = self.brake() if self.brake else 0.0
        if wait > 0:
            # In the library's own words: its update loop ends the client on any other.
            raise FloodWaitError(request=request, capture=math.ceil(wait))

    def _show(self, request: Any, answer: Any) -> None:
        if self.tap is not None:
            for one in each_request(request):
                self.tap(one, answer)

    async def _switch_dc(self, new_dc: int) -> Any:
        if self.role is not Role.LOGIN:
            # The library would throw the key away and go on signed out.
            raise SignInRequiredError(
                "the account moved to another data centre; sign in again", reason="unregistered"
            )
        GuardedClient._config = None  # Another client may have met another server.
        return await super()._switch_dc(new_dc)

    def on_overflow(self, overflowed: Callable[[], None]) -> None:
        """Call this when updates were dropped: what they told must be fetched."""
        self._updates_queue.overflowed = overflowed

    def footprint(self) -> int:
        """Return about how many bytes wait in the library or are remembered by it."""
        updates = self._updates_queue.qsize() * UPDATE_BYTES
        return updates + len(self._mb_entity_cache) * ENTITY_BYTES

    def trim(self) -> None:
        """Forget who else was seen; chats with a counter stay known."""
        cache, counted = self._mb_entity_cache, self._message_box.map
        cache.retain(lambda entity: entity == cache.self_id or entity in counted)

    async def ping(self, limit_s: float) -> None:
        """Ask for a pong. Raises TimeoutError after `limit_s`, and whatever ended the wait."""
        self._pings += 1
        future = self._sender.send(functions.PingRequest(self._pings))
        future.add_done_callback(_looked_at)
        # The future stays the library's: it sets the answer without asking whether anybody waits.
        waiter = asyncio.get_running_loop().create_future()
        timer = asyncio.get_running_loop().call_later(limit_s, _set, waiter)
        future.add_done_callback(partial(_set, waiter))
        try:
            await waiter
        finally:
            timer.cancel()
        if not future.done():
            raise TimeoutError
        if future.cancelled():
            raise ConnectionError("the connection was closed")
        future.result()

    async def ended_within(self, seconds: float) -> bool:
        """Wait for the end of this client, for so long; `ended` tells why."""
        ended = self._sender._disconnected  # noqa: SLF001 - the public one is made anew each time
        waiter = asyncio.get_running_loop().create_future()
        timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), _set, waiter)
        wake = partial(_set, waiter)
        ended.add_done_callback(wake)
        try:
            await waiter
        finally:
            timer.cancel()
            ended.remove_done_callback(wake)
        return bool(ended.done())

    async def ended(self) -> NoReturn:
        """Wait for the end of this client; raises why it ended."""
        await self.disconnected
        raise self._updates_error or ConnectionError("the library gave the connection up")

    async def close(self, link: Link, limit_s: float) -> None:
        """Disconnect in a bounded time; afterwards the socket is gone."""
        closing = self.disconnect()
        _, pending = await asyncio.wait([closing], timeout=limit_s)
        if pending:
            link.abort("closed")
            await asyncio.wait([closing], timeout=limit_s / 2)
        link.abort("closed")
        if closing.done():
            _looked_at(closing)
        ended = self.disconnected
        if ended.done():
            _looked_at(ended)
        else:
            ended.cancel()


def _looked_at(future: "asyncio.Future[Any]") -> None:
    """Take the result, so that asyncio does not report an error nobody looked at."""
    if not future.cancelled():
        future.exception()


def _set(waiter: "asyncio.Future[None]", _of: object = None) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def within(limit_s: float, link: Link, work: Awaitable[Any]) -> None:
    """Run the start of a client; its limit counts from when the gate has let it connect."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        link.on_first_up = lambda: limit.reschedule(loop.time() + limit_s)
        try:
            await work
        finally:
            link.on_first_up = None
