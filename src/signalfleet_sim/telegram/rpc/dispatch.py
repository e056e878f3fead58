"""Takes a decoded request through wrappers, faults and the check of the sign-in to its handler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from telethon.tl import functions, types

from signalfleet_sim.telegram.accounts import Device, SimSession
from signalfleet_sim.telegram.codec import Tl, encode, method_name
from signalfleet_sim.telegram.errors import RpcFault
from signalfleet_sim.telegram.journal import CallRecord
from signalfleet_sim.telegram.rpc import auth, channels, messages, updates
from signalfleet_sim.telegram.rpc.call import Call, Handler
from signalfleet_sim.telegram.world import World

LAYER: Final = 229
HANDLERS: Final[Mapping[type, Handler]] = {
    **auth.HANDLERS,
    **updates.HANDLERS,
    **messages.HANDLERS,
    **channels.HANDLERS,
}
OPEN_TO_ALL: Final = frozenset(
    {
        functions.help.GetConfigRequest,
        functions.auth.SendCodeRequest,
        functions.auth.ResendCodeRequest,
        functions.auth.CancelCodeRequest,
        functions.auth.SignInRequest,
        functions.auth.CheckPasswordRequest,
        functions.auth.ExportLoginTokenRequest,
        functions.auth.ImportLoginTokenRequest,
        functions.auth.LogOutRequest,
        functions.account.GetPasswordRequest,
    }
)
WRAPPERS: Final = (
    functions.InvokeWithLayerRequest,
    functions.InitConnectionRequest,
    functions.InvokeWithoutUpdatesRequest,
    functions.InvokeAfterMsgRequest,
    functions.InvokeAfterMsgsRequest,
)
NEVER: Final = frozenset(
    {
        "account.updateStatus",
        "messages.readHistory",
        "channels.readHistory",
        "messages.sendMessage",
    }
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer:
    """An encoded answer, by how much it is late, and what it says about the connection."""

    body: bytes
    delay_s: float = 0.0
    wants_updates: bool = False


@dataclass(slots=True)
class _Unwrapped:
    request: Tl
    without_updates: bool = False


def answer(world: World, session: SimSession, address: str, request: Tl) -> Answer:
    """Answer a request of a key; every error becomes an `rpc_error`."""
    inner = _unwrap(world, session, request)
    request_type = type(inner.request)
    method = method_name(request_type)
    at, error, delay = world.time(), None, 0.0
    session.active_at = at
    caller = session.user or session.pending
    try:
        delay = _admit(world, session, request_type, method)
        body = encode(HANDLERS[request_type](Call(world, session, inner.request)))
    except RpcFault as fault:
        error = fault.text
        body = encode(types.RpcError(error_code=fault.code, error_message=fault.text))
    except Exception as bug:
        log.exception("request_crashed", method=method)
        error = "SIM_CRASHED"
        world.journal.violate(at, "sim_crashed", f"{method}: {type(bug).__name__}")
        body = encode(types.RpcError(error_code=500, error_message=error))
    caller = session.user or caller
    world.journal.call(
        CallRecord(
            at=at,
            method=method,
            user_id=None if caller is None else caller.user_id,
            key_id=session.key_id,
            dc=session.dc,
            address=address,
            error=error,
        )
    )
    wants_updates = session.user is not None and not inner.without_updates
    return Answer(body, delay, wants_updates and request_type not in OPEN_TO_ALL)


def _unwrap(world: World, session: SimSession, request: Tl) -> _Unwrapped:
    inner = _Unwrapped(request)
    while isinstance(inner.request, WRAPPERS):
        outer = inner.request
        if isinstance(outer, functions.InvokeWithLayerRequest):
            session.layer = outer.layer
            if outer.layer != LAYER:
                detail = f"layer {outer.layer}, not {LAYER}"
                world.journal.violate(world.time(), "layer", detail)
        elif isinstance(outer, functions.InitConnectionRequest):
            session.device = Device(
                outer.api_id, outer.device_model, outer.system_version, outer.app_version
            )
        elif isinstance(outer, functions.InvokeWithoutUpdatesRequest):
            inner.without_updates = True
        inner.request = outer.query
    return inner


def _admit(world: World, session: SimSession, request_type: type, method: str) -> float:
    """Raise what the call is refused with, or return by how much its answer is late."""
    now = world.time()
    if session.dead is not None:
        raise RpcFault(session.dead.code, session.dead.text)
    if session.logged_out:
        world.journal.violate(now, "after_log_out", f"{method} with a key that was logged out")
    if method in NEVER:
        world.journal.violate(now, "forbidden", f"{method} changes what others see")
    delay = world.faults.check(method, session.user)
    if request_type not in HANDLERS:
        world.journal.violate(now, "unknown_method", f"{method} is not in the simulator")
        raise RpcFault(400, "METHOD_NOT_IN_SIM")
    if session.layer == 0:
        raise RpcFault(400, "CONNECTION_NOT_INITED")
    if request_type not in OPEN_TO_ALL:
        _ = Call(world, session, None).user
    return delay
