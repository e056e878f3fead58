"""Questions and answers over core NATS: one subject for an address, errors by their class."""

import asyncio
from contextlib import suppress
from typing import Final, NoReturn

import nats.errors
import structlog
from nats.aio.msg import Msg

from signalfleet.adapters.nats import codec, limits
from signalfleet.adapters.nats.client import Connection, nats_errors
from signalfleet.ports.bus import ANSWER_BYTES, QUESTION_BYTES, Answerer, Plain
from signalfleet.ports.errors import PortError, RefusedError, SignInRequiredError, TemporaryError

log = structlog.get_logger()

FAILED: Final = "this cannot be done at the moment; try again"


async def ask(connection: Connection, address: str, question: Plain, limit_s: float) -> Plain:
    """Ask and wait for the answer; raises what the answerer raised."""
    subject, payload = codec.ask_subject(address), codec.encode_plain(question, QUESTION_BYTES)
    connection.require_connected()
    try:
        msg = await connection.client.request(subject, payload, timeout=limit_s)
    except nats.errors.NoRespondersError:
        raise TemporaryError("nobody is there to do this now; try again in a moment") from None
    except (nats.errors.TimeoutError, TimeoutError):
        raise TemporaryError("there was no answer in time; try again") from None
    except (nats.errors.Error, OSError) as e:
        raise TemporaryError(f"NATS could not ask: {type(e).__name__}") from e
    try:
        answer = codec.decode_plain(msg.data)
    except ValueError:
        raise TemporaryError("the answer cannot be read; try again") from None
    body, error = answer.get("answer"), answer.get("error")
    if isinstance(error, dict):
        raise _error_of(error)
    return body if isinstance(body, dict) else {}


async def serve(
    connection: Connection, address: str, answer: Answerer, ready: asyncio.Event | None
) -> NoReturn:
    """Answer what is asked at the address until cancelled."""
    subject = codec.ask_subject(address)
    connection.require_connected()
    async with asyncio.TaskGroup() as tasks:
        desk = _Desk(connection, answer, tasks)
        with nats_errors("listen to questions"):
            subscription = await connection.client.subscribe(
                subject, queue=limits.ASK_GROUP, cb=desk.on_message
            )
        try:
            with nats_errors("listen to questions"):
                await connection.client.flush(timeout=int(limits.REQUEST_S))
            if ready is not None:
                ready.set()
            await asyncio.get_running_loop().create_future()
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()
    raise AssertionError("an endless wait ended")


class _Desk:
    """Answers the questions of one address, some at a time."""

    def __init__(self, connection: Connection, answer: Answerer, tasks: asyncio.TaskGroup) -> None:
        self._connection = connection
        self._answer = answer
        self._tasks = tasks
        self._places = asyncio.Semaphore(limits.ANSWERS_AT_ONCE)

    async def on_message(self, msg: Msg) -> None:
        if self._places.locked():
            await self._reply(msg, _told(TemporaryError("too many ask at once; try again")))
            return
        await self._places.acquire()
        self._tasks.create_task(self._handle(msg), name="answer")

    async def _handle(self, msg: Msg) -> None:
        try:
            await self._reply(msg, await self._answered(msg))
        finally:
            self._places.release()

    async def _answered(self, msg: Msg) -> dict[str, object]:
        try:
            answer = await self._answer(codec.decode_plain(msg.data))
            codec.encode_plain(answer, ANSWER_BYTES)
        except PortError as error:
            return _told(error)
        except Exception as error:  # noqa: BLE001 - one bad question must not end the others
            # Its text could quote what was asked.
            log.error("question_failed", kind=type(error).__name__)  # noqa: TRY400
            return _told(TemporaryError(FAILED))
        return {"answer": dict(answer)}

    async def _reply(self, msg: Msg, answer: dict[str, object]) -> None:
        if msg.reply and self._connection.is_connected():
            with suppress(nats.errors.Error, OSError):
                payload = codec.encode_plain(answer, ANSWER_BYTES * 2)
                await self._connection.client.publish(msg.reply, payload)


def _told(error: PortError) -> dict[str, object]:
    match error:
        case SignInRequiredError():
            body = {"kind": "sign_in", "words": str(error), "reason": error.reason}
        case RefusedError():
            body = {"kind": "refused", "words": str(error)}
        case TemporaryError():
            wait = error.retry_after
            body = {
                "kind": "later",
                "words": str(error),
                **({} if wait is None else {"wait": str(wait)}),
            }
        case _:
            body = {"kind": "later", "words": FAILED}
    return {"error": body}


def _error_of(body: dict[str, object]) -> PortError:
    words = str(body.get("words", FAILED))
    match body.get("kind"):
        case "refused":
            return RefusedError(words)
        case "sign_in":
            return SignInRequiredError(words, reason=str(body.get("reason", "unknown")))
        case _:
            wait = body.get("wait")
            return TemporaryError(words, retry_after=None if wait is None else float(str(wait)))
