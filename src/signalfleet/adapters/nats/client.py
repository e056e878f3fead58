"""The connection to NATS: for ever reconnecting, with its changes logged once."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from signalfleet.adapters.nats import limits
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()


@contextmanager
def nats_errors(doing: str) -> Iterator[None]:
    """Turn whatever NATS says into "try later"; the store holds the truth meanwhile.

    A cancellation that comes together with an answer is lost in `asyncio.wait_for` before Python
    3.12, which the library uses everywhere: it is raised again here, or its task would go on.
    """
    task = asyncio.current_task()
    asked = 0 if task is None else task.cancelling()
    try:
        yield
    except (nats.errors.Error, TimeoutError, OSError) as e:
        if task is not None and task.cancelling() > asked:
            raise asyncio.CancelledError from e
        raise TemporaryError(f"NATS could not {doing}: {type(e).__name__}") from e
    if task is not None and task.cancelling() > asked:
        raise asyncio.CancelledError


class Connection:
    """One client of one NATS server or cluster. `on_reconnect` callbacks run after each return."""

    def __init__(self, *, replicas: int) -> None:
        self.replicas = replicas
        self.client = Client()
        self.jetstream: JetStreamContext = self.client.jetstream(timeout=limits.REQUEST_S)
        # Who renews a lease cannot wait for an answer as long as others can.
        self.registers: JetStreamContext = self.client.jetstream(timeout=limits.REGISTER_REQUEST_S)
        self.on_reconnect: set[Callable[[], None]] = set()
        self._closing = False
        self._refused = False

    def is_connected(self) -> bool:
        return self.client.is_connected and not self._closing

    def require_connected(self) -> None:
        # The client would keep what is published now and send it late, unasked.
        if not self.is_connected():
            raise TemporaryError("NATS is not connected", retry_after=limits.RECONNECT_WAIT_S)

    async def open(self, url: str, token: Secret | None) -> None:
        """Connect for the first time, in a bounded time; later losses are mended for ever."""
        try:
            async with asyncio.timeout(limits.CONNECT_S):
                await self.client.connect(
                    [one.strip() for one in url.split(",")],
                    token=token.reveal() if token else None,
                    name="signalfleet",
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=limits.RECONNECT_WAIT_S,  # type: ignore[arg-type]
                    error_cb=self._on_error,
                    disconnected_cb=self._on_lost,
                    reconnected_cb=self._on_back,
                    closed_cb=self._on_closed,
                )
        except TimeoutError:
            await self.aclose()
            if self._refused:
                raise RefusedError(
                    "NATS refuses the token: check NATS_URL and its secret"
                ) from None
            raise TemporaryError(
                f"no NATS server answered within {limits.CONNECT_S:.0f} s: is it running?"
            ) from None
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        self._closing = True
        try:
            async with asyncio.timeout(limits.CLOSE_S):
                await self.client.close()
        except TimeoutError:
            log.warning("nats_close_timed_out", grace_s=limits.CLOSE_S)

    async def ensure_stream(self) -> None:
        """Create the work stream, or accept one that an operator made for the same purpose."""
        config = StreamConfig(
            name=limits.STREAM,
            subjects=[f"{limits.WORK_PREFIX}.>"],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,  # A full stream fails loudly instead of losing the oldest.
            max_age=limits.STREAM_MAX_AGE_S,
            max_bytes=limits.STREAM_MAX_BYTES,
            max_msg_size=limits.STREAM_MAX_MESSAGE,
            max_consumers=limits.STREAM_MAX_CONSUMERS,
            duplicate_window=limits.DUPLICATE_WINDOW_S,
            num_replicas=self.replicas,
        )
        try:
            await self.jetstream.add_stream(config)
        except nats.js.errors.BadRequestError as e:
            if e.err_code != limits.NO_STREAM_CHANGE:
                raise
            found = (await self.jetstream.stream_info(limits.STREAM)).config
            if found.retention != config.retention or found.subjects != config.subjects:
                raise RefusedError(
                    f"the stream {limits.STREAM} on this NATS server is not a work queue over "
                    f"{limits.WORK_PREFIX}.>: another program uses that name"
                ) from e

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        if "Authorization Violation" in text:
            self._refused = True
        elif "Permissions Violation" in text:  # Its caller sees a time-out only.
            log.error("nats_permission_refused", reason=text[:200])

    async def _on_lost(self) -> None:
        if not self._closing:
            log.warning("nats_connection_lost")

    async def _on_closed(self) -> None:
        if not self._closing:  # The library gives up for good after a fatal word of the server.
            log.error("nats_connection_closed", refused=self._refused)

    async def _on_back(self) -> None:
        log.info("nats_connection_back")
        for callback in list(self.on_reconnect):
            callback()
