"""The vendor's module and the one thread that may call it; nothing else imports it."""

import asyncio
import contextlib
import importlib
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from signalfleet.adapters.mt5 import limits
from signalfleet.ports.errors import RefusedError, TemporaryError

T = TypeVar("T")

WHERE: Final = "the local terminal is for development on Windows; use MetaApi"


class Mt5Module(Protocol):
    """The functions of the package MetaTrader5 that are used, as its documents describe them.

    What they return are named tuples of the vendor: read by attribute and mapped at once.
    """

    def initialize(self, *args: Any, **kwargs: Any) -> bool: ...  # noqa: ANN401
    def shutdown(self) -> None: ...
    def last_error(self) -> tuple[int, str]: ...
    def account_info(self) -> Any: ...  # noqa: ANN401
    def terminal_info(self) -> Any: ...  # noqa: ANN401
    def symbols_get(self) -> Any: ...  # noqa: ANN401
    def symbol_info(self, symbol: str) -> Any: ...  # noqa: ANN401
    def symbol_info_tick(self, symbol: str) -> Any: ...  # noqa: ANN401
    def symbol_select(self, symbol: str, enable: bool) -> bool: ...  # noqa: FBT001
    def order_calc_margin(
        self, action: int, symbol: str, volume: float, price: float
    ) -> float | None: ...
    def order_send(self, request: dict[str, Any]) -> Any: ...  # noqa: ANN401
    def positions_get(self, *, ticket: int | None = ...) -> Any: ...  # noqa: ANN401
    def orders_get(self, *, ticket: int | None = ...) -> Any: ...  # noqa: ANN401
    def history_orders_get(self, since: int, until: int) -> Any: ...  # noqa: ANN401
    def history_deals_get(self, since: int, until: int) -> Any: ...  # noqa: ANN401


def load_module(platform: str = sys.platform) -> Mt5Module:
    """Import the vendor's package; RefusedError where it cannot work."""
    if platform != "win32":
        raise RefusedError(WHERE)
    try:
        module: Mt5Module = importlib.import_module("MetaTrader5")
    except ImportError as e:
        raise RefusedError(
            "install the local terminal's package: pip install signalfleet[mt5]"
        ) from e
    return module


class Job:
    """One piece of work for the thread; it can be called off until it has begun."""

    __slots__ = ("_lock", "_state", "done", "loop", "work")

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.done: asyncio.Future[Any] = loop.create_future()
        self._lock = threading.Lock()
        self._state = "waiting"

    def begin(self) -> bool:
        """Begin, unless it was called off."""
        with self._lock:
            if self._state != "waiting":
                return False
            self._state = "begun"
            return True

    def call_off(self) -> bool:
        """Return whether the work will provably never begin."""
        with self._lock:
            if self._state == "begun":
                return False
            self._state = "called_off"
            return True


class TerminalThread:
    """One daemon thread that does the jobs in turn: the vendor's calls block, and share a state."""

    def __init__(self, module: Mt5Module) -> None:
        self.module = module
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="mt5_terminal", daemon=True)
        self._thread.start()

    def start(self, work: Callable[[], Any]) -> Job:
        job = Job(work, asyncio.get_running_loop())
        self._jobs.put(job)
        return job

    async def call(self, work: Callable[[Mt5Module], T]) -> T:
        """Do something that is no order; TemporaryError after a while, or if it was called off."""
        job = self.start(lambda: work(self.module))
        try:
            async with asyncio.timeout(limits.CALL_S):
                result: T = await asyncio.shield(job.done)
        except TimeoutError:
            job.call_off()
            raise TemporaryError("the local terminal does not answer") from None
        except asyncio.CancelledError:
            job.call_off()
            raise
        return result

    async def aclose(self) -> None:
        """Let the thread end; one that hangs in the vendor's code is left behind as a daemon."""
        self._jobs.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.CLOSE_S):
                await asyncio.to_thread(self._thread.join, limits.CLOSE_S)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.begin():
                continue
            try:
                result, error = job.work(), None
            except BaseException as e:  # noqa: BLE001  It belongs to whoever waits.
                result, error = None, e
            with contextlib.suppress(RuntimeError):  # The loop may be gone.
                job.loop.call_soon_threadsafe(_settle, job.done, result, error)


def _settle(done: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
        done.exception()  # Whoever gave up waiting shall not be told at collection.
