"""Registers over JetStream's key-value form: a stream for each bucket, the newest value counts."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import nats.js.errors
from nats.js.api import DiscardPolicy, RawStreamMsg, StorageType, StreamConfig

from signalfleet.adapters.nats import limits
from signalfleet.adapters.nats.client import Connection, nats_errors
from signalfleet.adapters.nats.codec import decode_plain, encode_plain
from signalfleet.adapters.nats.register_watch import DELETED, OPERATION, RegisterWatch
from signalfleet.ports.bus import Plain
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.registers import Register

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}(?:\.[A-Za-z0-9_-]{1,80}){0,7}")
_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_LIVES: Final = "Nats-TTL"


class NatsRegisters:
    """Port Registers. `lease.w.x` is the key `w.x` of the bucket `sf_lease`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def get(self, key: str) -> Register | None:
        found = await self._newest(key)
        if found is None or _is_deleted(found):
            return None
        return Register(key=key, value=decode_plain(found.data or b"{}"), revision=found.seq or 0)

    async def put(self, key: str, value: Plain, revision: int) -> int:
        payload = encode_plain(value, limits.REGISTER_BYTES)
        try:
            return await self._write(key, payload, revision, {})
        except ConflictError:
            if revision:
                raise
            # What was deleted has a mark, and the next value comes after it.
            mark = await self._newest(key)
            if mark is None or not _is_deleted(mark):
                raise
            return await self._write(key, payload, mark.seq or 0, {})

    async def delete(self, key: str, revision: int) -> None:
        if not revision:
            if await self.get(key) is not None:
                raise ConflictError(f"the register {key} was changed by somebody else")
            return
        mark = {OPERATION: DELETED, _LIVES: f"{limits.DELETED_FOR_S}s"}
        await self._write(key, b"", revision, mark)

    @asynccontextmanager
    async def watch(self, prefix: str) -> AsyncIterator[AsyncIterator[Register | None]]:
        bucket, subject = _place(prefix)
        subjects = [f"{subject}.>"] if subject.count(".") == 1 else [subject, f"{subject}.>"]
        watch = RegisterWatch(
            self._connection,
            self._clock,
            stream=_stream(bucket),
            subjects=subjects,
            ensure=lambda: self._ensure(bucket),
        )
        try:
            await watch.open()
            yield watch
        finally:
            await watch.aclose()

    async def _newest(self, key: str) -> RawStreamMsg | None:
        bucket, subject = _place(key)
        self._connection.require_connected()
        with nats_errors("read a register"):
            try:
                # Not by a direct get: that may be answered by a server that is behind.
                return await self._connection.registers.get_msg(_stream(bucket), subject=subject)
            except nats.js.errors.NotFoundError:
                return None

    async def _write(self, key: str, payload: bytes, revision: int, headers: dict[str, str]) -> int:
        bucket, subject = _place(key)
        marked = {**headers, _EXPECTED: str(revision)}
        self._connection.require_connected()
        with nats_errors("write a register"):
            try:
                return await self._publish(subject, payload, marked)
            except nats.js.errors.NoStreamResponseError:
                await self._ensure(bucket)
                return await self._publish(subject, payload, marked)

    async def _publish(self, subject: str, payload: bytes, headers: dict[str, str]) -> int:
        try:
            done = await self._connection.registers.publish(subject, payload, headers=dict(headers))
        except nats.js.errors.APIError as error:
            if error.err_code not in limits.WRONG_REVISION:
                raise
            raise ConflictError("the register was changed by somebody else") from None
        return done.seq

    async def _ensure(self, bucket: str) -> None:
        """Create the bucket, or accept one that is there: two may do this at once."""
        config = StreamConfig(
            name=_stream(bucket),
            subjects=[f"{_root(bucket)}.>"],
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_msgs_per_subject=limits.REGISTER_HISTORY[bucket],
            max_msg_size=limits.REGISTER_BYTES + 1024,
            allow_rollup_hdrs=True,
            allow_msg_ttl=True,
            deny_delete=True,
            num_replicas=self._connection.replicas,
        )
        try:
            await self._connection.registers.add_stream(config)
        except nats.js.errors.BadRequestError as error:
            if error.err_code != limits.NO_STREAM_CHANGE:
                raise


def _place(name: str) -> tuple[str, str]:
    """Return a register's bucket and its subject; ValueError if it is no name of ours."""
    bucket, _, key = name.partition(".")
    if not _NAME.fullmatch(name) or bucket not in limits.REGISTER_HISTORY:
        raise ValueError(
            "a register's name is words of a-z A-Z 0-9 _ - joined by dots, the first one of "
            + ", ".join(limits.REGISTER_HISTORY)
        )
    return bucket, f"{_root(bucket)}.{key}" if key else _root(bucket)


def _root(bucket: str) -> str:
    return f"$KV.sf_{bucket}"


def _stream(bucket: str) -> str:
    return f"KV_sf_{bucket}"


def _is_deleted(message: RawStreamMsg) -> bool:
    return OPERATION in (message.headers or {})
