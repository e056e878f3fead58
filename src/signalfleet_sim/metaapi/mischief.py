"""The faults of one call: what happens to it instead of, before or after its handling."""

import email.utils
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from signalfleet_sim.metaapi import codes
from signalfleet_sim.metaapi.calls import Call
from signalfleet_sim.metaapi.errors import ApiError, not_connected, reply
from signalfleet_sim.metaapi.faults import FaultError
from signalfleet_sim.metaapi.wire import iso_of
from signalfleet_sim.metaapi.world import World

Inner = Callable[[], Awaitable[web.StreamResponse]]
Later = Callable[[float, Inner], None]
Pause = Callable[[float], Awaitable[None]]
Params = Mapping[str, Any]

_HTML: Final = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_RESET_NOW: Final = struct.pack("ii", 1, 0)
_DETAILS: Final = {
    "E_AUTH": "Failed to authenticate: the login or the password is wrong",
    "E_SRV_NOT_FOUND": "The server was not found",
    "E_SERVER_TIMEZONE": "Failed to detect the time zone of the server",
}


class Mischief:
    """Carries out call faults.

    `later` runs something after a while, whatever the caller does; `pause` waits, but not beyond
    the life of the server.
    """

    def __init__(self, world: World, later: Later, pause: Pause) -> None:
        self._world = world
        self._pause = pause
        self._later = later
        self._kinds: dict[str, Callable[[Call, Params, Inner], Awaitable[web.StreamResponse]]] = {
            "reset_before_read": self._reset_before_read,
            "reset_after_read": self._reset_after_read,
            "hang": self._hang,
            "slow_body": self._slow_body,
            "cut_body": self._cut_body,
            "not_json": self._not_json,
            "html_502": self._html_502,
            "wrong_type": self._wrong_type,
            "redirect": self._redirect,
            "execute_then_reset": self._execute_then_reset,
            "execute_then_hang": self._execute_then_hang,
            "execute_then_504": self._execute_then_504,
            "answer_504_then_execute_after": self._answer_504_then_execute_after,
            "execute_twice": self._execute_twice,
            "answer_done_but_not_executed": self._answer_done_but_not_executed,
            "status": self._status,
            "401": self._status_401,
            "403": self._status_403,
            "429": self._too_many,
            "503": self._status_503,
            "504_not_connected": self._status_504,
            "reject": self._reject,
            "requote": self._requote,
            "partial_fill": self._partial_fill,
            "slip": self._slip,
            "lost_client_id": self._lost_client_id,
            "rewritten_comment": self._rewritten_comment,
            "truncated_client_id": self._truncated_client_id,
            "202": self._accepted,
            "quota_full": self._quota_full,
            "delay": self._delay,
        }
        for code in _DETAILS:
            self._kinds[code] = self._refused_account(code)

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self._kinds)

    async def carry_out(
        self, kind: str, call: Call, params: Params, inner: Inner
    ) -> web.StreamResponse:
        return await self._kinds[kind](call, params, inner)

    async def _reset_before_read(self, call: Call, _: Params, __: Inner) -> web.StreamResponse:
        return _reset(call)

    async def _reset_after_read(self, call: Call, _: Params, __: Inner) -> web.StreamResponse:
        await call.request.read()
        return _reset(call)

    async def _hang(self, call: Call, params: Params, _: Inner) -> web.StreamResponse:
        await call.request.read()
        await self._pause(_seconds(params, 30.0))
        return _reset(call)

    async def _delay(self, _: Call, params: Params, inner: Inner) -> web.StreamResponse:
        await self._pause(_seconds(params, 1.0))
        return await inner()

    async def _slow_body(self, call: Call, params: Params, inner: Inner) -> web.StreamResponse:
        body = _bytes(await inner())
        response = await _begun(call, len(body))
        pause = _seconds(params, 1.0) / max(1, len(body))
        try:
            for position in range(len(body)):
                await response.write(body[position : position + 1])
                await self._pause(pause)
        except ConnectionError:
            pass
        return response

    async def _cut_body(self, call: Call, _: Params, inner: Inner) -> web.StreamResponse:
        body = _bytes(await inner())
        response = await _begun(call, len(body) + 1)
        await response.write(body[: len(body) // 2])
        if call.request.transport is not None:
            call.request.transport.close()
        return response

    async def _not_json(self, _: Call, __: Params, inner: Inner) -> web.StreamResponse:
        await inner()
        return web.Response(text='{"numericCode": 10009, ', content_type="application/json")

    async def _html_502(self, _: Call, __: Params, ___: Inner) -> web.StreamResponse:
        return web.Response(text=_HTML, status=502, content_type="text/html")

    async def _wrong_type(self, _: Call, __: Params, inner: Inner) -> web.StreamResponse:
        return web.Response(body=_bytes(await inner()), content_type="text/plain")

    async def _redirect(self, call: Call, params: Params, _: Inner) -> web.StreamResponse:
        target = str(params.get("to", call.request.path_qs))
        return web.Response(status=307, headers={"Location": target})

    async def _execute_then_reset(self, call: Call, _: Params, inner: Inner) -> web.StreamResponse:
        await inner()
        return _reset(call)

    async def _execute_then_hang(
        self, call: Call, params: Params, inner: Inner
    ) -> web.StreamResponse:
        await inner()
        await self._pause(_seconds(params, 30.0))
        return _reset(call)

    async def _execute_then_504(self, _: Call, __: Params, inner: Inner) -> web.StreamResponse:
        await inner()
        return not_connected().response()

    async def _answer_504_then_execute_after(
        self, call: Call, params: Params, inner: Inner
    ) -> web.StreamResponse:
        await call.request.read()
        delay = params.get("s", 1.0)
        if isinstance(delay, (list, tuple)):
            low, high = float(delay[0]), float(delay[1])
            delay = low + (high - low) * self._world.rng.random()
        self._later(float(delay), inner)
        return not_connected().response()

    async def _execute_twice(self, _: Call, __: Params, inner: Inner) -> web.StreamResponse:
        await inner()
        return await inner()

    async def _answer_done_but_not_executed(
        self, call: Call, _: Params, __: Inner
    ) -> web.StreamResponse:
        await call.request.read()
        ticket = str(900_000_000 + call.number)
        return reply(codes.answer(codes.DONE, orderId=ticket, positionId=ticket))

    async def _status(self, _: Call, params: Params, __: Inner) -> web.StreamResponse:
        status, body = int(params.get("code", 500)), params.get("body")
        if body is None:
            return ApiError(status, str(params.get("message", "Simulated error"))).response()
        if isinstance(body, str):
            return web.Response(text=body, status=status)
        return reply(body, status)

    async def _status_401(self, _: Call, __: Params, ___: Inner) -> web.StreamResponse:
        return ApiError(401, "Authorization token invalid").response()

    async def _status_403(self, _: Call, __: Params, ___: Inner) -> web.StreamResponse:
        return ApiError(403, "You are not permitted to access this resource").response()

    async def _status_503(self, _: Call, __: Params, ___: Inner) -> web.StreamResponse:
        return ApiError(503, "Service unavailable").response()

    async def _status_504(self, _: Call, __: Params, ___: Inner) -> web.StreamResponse:
        return not_connected().response()

    async def _too_many(self, call: Call, params: Params, _: Inner) -> web.StreamResponse:
        if params.get("absent"):
            return web.Response(text="Too Many Requests", status=429)
        wait = -60.0 if params.get("past") else float(params.get("retry_in", 2.0))
        metadata = params.get("metadata") or {
            "total": 5_000,
            "available": 0,
            "needed": 50,
            "resourceId": call.request.match_info.get("account", ""),
            "exceededConfig": "perAccount",
            "exceededPeriod": "10s",
            "recommendedRetryTime": iso_of(self._world.now() + wait),
            "method": call.route,
        }
        headers = {"Retry-After": str(max(0, round(wait)))}
        return ApiError(429, "Too many requests", metadata=metadata, headers=headers).response()

    async def _reject(self, call: Call, params: Params, _: Inner) -> web.StreamResponse:
        await call.request.read()
        return reply(codes.answer(int(params.get("code", codes.REJECT)), params.get("text")))

    async def _requote(self, call: Call, _: Params, __: Inner) -> web.StreamResponse:
        await call.request.read()
        return reply(codes.answer(codes.REQUOTE))

    async def _partial_fill(self, call: Call, params: Params, inner: Inner) -> web.StreamResponse:
        call.twist.share = str(params.get("share", "0.5"))
        return await inner()

    async def _slip(self, call: Call, params: Params, inner: Inner) -> web.StreamResponse:
        call.twist.slip_points = int(params.get("points", 10))
        return await inner()

    async def _lost_client_id(self, call: Call, _: Params, inner: Inner) -> web.StreamResponse:
        call.twist.is_client_id_lost = True
        return await inner()

    async def _rewritten_comment(self, call: Call, _: Params, inner: Inner) -> web.StreamResponse:
        call.twist.is_comment_rewritten = True
        return await inner()

    async def _truncated_client_id(
        self, call: Call, params: Params, inner: Inner
    ) -> web.StreamResponse:
        call.twist.client_id_length = int(params.get("n", 16))
        return await inner()

    async def _accepted(self, _: Call, params: Params, __: Inner) -> web.StreamResponse:
        wait = float(params.get("retry_after", 1))
        value = str(round(wait))
        if params.get("as_date"):
            value = email.utils.formatdate(self._world.now() + wait, usegmt=True)
        message = {"message": "Automatic broker settings detection is in progress"}
        return reply(message, 202, {"Retry-After": value})

    async def _quota_full(self, _: Call, __: Params, ___: Inner) -> web.StreamResponse:
        text = "You have reached the maximum number of accounts of your subscription"
        return ApiError(400, text, details={"code": "E_QUOTA"}).response()

    def _refused_account(
        self, code: str
    ) -> Callable[[Call, Params, Inner], Awaitable[web.StreamResponse]]:
        async def refuse(_: Call, params: Params, __: Inner) -> web.StreamResponse:
            return refused_account(code, str(params.get("shape", "code"))).response()

        return refuse


def refused_account(code: str, shape: str = "code") -> ApiError:
    """Make the 400 of an account that cannot be added, in one of the three shapes of details."""
    text = _DETAILS[code]
    match shape:
        case "code":
            return ApiError(400, text, details={"code": code})
        case "string":
            return ApiError(400, text, details=code)
        case "list":
            details = [{"parameter": "password", "value": "", "message": f"{code}: {text}"}]
            return ApiError(400, text, details=details)
        case _:
            raise FaultError(f"details have the shapes code, string and list, not {shape}")


def _reset(call: Call) -> web.StreamResponse:
    """Drop the connection with a reset; what is returned reaches nobody."""
    transport = call.request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_NOW)
        transport.abort()
    return web.Response()


async def _begun(call: Call, length: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = length
    await response.prepare(call.request)
    return response


def _bytes(response: web.StreamResponse) -> bytes:
    body = response.body if isinstance(response, web.Response) else b""
    return body if isinstance(body, bytes) else b""


def _seconds(params: Params, default: float) -> float:
    return float(params.get("s", default))
