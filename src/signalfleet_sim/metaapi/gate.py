"""The way each call takes: faults, token, account, region, state, credits, a line in the log."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from aiohttp import web

from signalfleet_sim.metaapi.accounts import SimAccount, Token
from signalfleet_sim.metaapi.calls import Call, Handler
from signalfleet_sim.metaapi.credits import Credits
from signalfleet_sim.metaapi.errors import ApiError, not_connected
from signalfleet_sim.metaapi.faults import FaultBook
from signalfleet_sim.metaapi.mischief import Mischief
from signalfleet_sim.metaapi.world import World

AiohttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_STATE_READS: Final = {
    "account-information",
    "positions",
    "orders",
    "history-orders",
    "history-deals",
}


@dataclass(frozen=True, slots=True)
class Demands:
    """What a route asks of its caller."""

    needs_account: bool = True
    is_terminal: bool = True
    """A terminal route wants the account's own region, deployed and connected, and costs."""


TERMINAL: Final = Demands()
PROVISIONING: Final = Demands(is_terminal=False)
NO_ACCOUNT: Final = Demands(needs_account=False, is_terminal=False)


class Gate:
    def __init__(
        self, world: World, credits_kept: Credits, faults: FaultBook, mischief: Mischief
    ) -> None:
        self._world = world
        self._credits = credits_kept
        self._faults = faults
        self._mischief = mischief
        self._numbers = count(1)

    def guard(self, route: str, handler: Handler, demands: Demands) -> AiohttpHandler:
        """Wrap a handler for one route."""

        async def serve(request: web.Request) -> web.StreamResponse:
            call = Call(request, route, next(self._numbers), self._world.now())

            async def inner() -> web.StreamResponse:
                return await self._handle(call, handler, demands)

            fault = await self._faults.pick(call) if self._faults.rules else None
            status = 0
            try:
                if fault is None:
                    response = await inner()
                else:
                    response = await self._mischief.carry_out(fault.kind, call, fault.params, inner)
                status = response.status
            finally:
                self._log(call, status, fault.kind if fault else None)
            return response

        return serve

    async def _handle(self, call: Call, handler: Handler, demands: Demands) -> web.StreamResponse:
        try:
            self._admit(call, demands)
            if not demands.needs_account:
                return await handler(call)
            account = call.account
            if demands.is_terminal:
                self._check_terminal(call, account)
            account.in_flight += 1
            try:
                self._world.journal.watch_call(
                    account, call.started, is_read=call.route in _STATE_READS
                )
                return await handler(call)
            finally:
                account.in_flight -= 1
        except ApiError as error:
            return error.response()

    def _admit(self, call: Call, demands: Demands) -> None:
        text = call.request.headers.get("auth-token", "")
        token = self._world.tokens.get(text)
        account_id = call.request.match_info.get("account")
        if text and text in call.request.raw_path:
            self._world.journal.violation("token_in_url", account_id, call.started)
        if token is None or token.is_revoked or call.started >= token.valid_until:
            if token is not None and call.route == "trade":
                self._world.journal.violation("trade_after_refusal", account_id, call.started)
            raise ApiError(401, "Authorization token invalid")
        if token.is_account_token and not demands.is_terminal:
            raise ApiError(403, "This token cannot be used with the provisioning API")
        account = self._find(token, account_id) if account_id is not None else None
        if demands.needs_account and account is None:
            raise ApiError(404, "Trading account not found")
        call.admit(token, account)

    def _find(self, token: Token, account_id: str) -> SimAccount | None:
        account = self._world.accounts.get(account_id)
        if account is None or account.user_id != token.user_id:
            return None
        if token.only is not None and account_id not in token.only:
            return None
        return account

    def _check_terminal(self, call: Call, account: SimAccount) -> None:
        if call.request.match_info["region"] != account.region:
            raise not_connected()
        if not account.life.is_ready(self._world.now()):
            raise not_connected()
        self._credits.charge(call)

    def _log(self, call: Call, status: int, fault: str | None) -> None:
        entry: dict[str, Any] = {
            "requestId": call.number,
            "at": call.started,
            "seconds": self._world.now() - call.started,
            "method": call.request.method,
            "route": call.route,
            "account": call.request.match_info.get("account"),
            "status": status,
            "connection": call.connection,
        }
        if fault is not None:
            entry["fault"] = fault
        entry |= call.facts()
        self._world.journal.call(entry)
