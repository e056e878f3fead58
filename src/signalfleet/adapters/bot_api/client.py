"""HTTP to the Bot API. The token is a part of every address, so no address is ever shown."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import aiohttp
import structlog
from yarl import URL

from signalfleet.adapters.bot_api import limits
from signalfleet.adapters.bot_api.mapping import outcome_of, started, text_of
from signalfleet.domain.accounts.delivery import TargetKind
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.messenger import DeliveryOutcome, Message, RetryLater, Started
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

OK: Final = 200
CONFLICT: Final = 409
_NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError, aiohttp.InvalidURL)


@dataclass(slots=True)
class BotApi:
    """One bot. Notices are few, so each call has a connection of its own and nothing is closed."""

    token: Secret
    address: str = limits.ADDRESS
    call_timeout_s: float = limits.CALL_TIMEOUT_S
    poll_s: int = limits.POLL_S
    _name: str = field(default="", init=False)
    _next_update: int = field(default=0, init=False)

    @property
    def kind(self) -> TargetKind:
        return TargetKind.TELEGRAM

    def describe(self, target: Secret) -> str:
        number = target.reveal()
        if not number.isascii() or not number.isdecimal():
            raise RefusedError("a bot writes to a private chat only")
        return f"a chat that ends with {number[-3:]}"

    async def deliver(self, target: Secret, message: Message) -> DeliveryOutcome:
        body = {
            "chat_id": int(target.reveal()),
            "text": text_of(message),
            "link_preview_options": {"is_disabled": True},
        }
        try:
            status, said = await self._call("sendMessage", body, self.call_timeout_s)
        except _NOT_SENT as error:
            return RetryLater(reason=type(error).__name__)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError.
            return RetryLater(reason=type(error).__name__, is_unsure=True)
        return outcome_of(status, said)

    async def username(self) -> str:
        if not self._name:
            result = (await self._ask("getMe", {}, self.call_timeout_s)).get("result")
            name = result.get("username") if isinstance(result, dict) else None
            if not isinstance(name, str):
                raise TemporaryError("Telegram does not say how the bot is called")
            self._name = name
        return self._name

    async def starts(self) -> tuple[Started, ...]:
        asked = {
            "offset": self._next_update,
            "timeout": self.poll_s,
            "allowed_updates": ["message"],
        }
        said = await self._ask("getUpdates", asked, self.call_timeout_s + self.poll_s)
        updates = said.get("result")
        found: list[Started] = []
        for update in updates if isinstance(updates, list) else ():
            number = update.get("update_id") if isinstance(update, dict) else None
            if not isinstance(number, int):
                continue
            self._next_update = max(self._next_update, number + 1)
            one = started(update)
            if one is not None:
                found.append(one)
        return tuple(found)

    async def answer(self, chat: int, text: str) -> None:
        body = {"chat_id": chat, "text": text[: limits.TEXT_CHARS]}
        try:
            await self._call("sendMessage", body, self.call_timeout_s)
        except (aiohttp.ClientError, OSError) as error:
            log.info("bot_answer_lost", cause=type(error).__name__)

    async def _ask(
        self, method: str, body: Mapping[str, object], timeout_s: float
    ) -> Mapping[str, object]:
        try:
            status, said = await self._call(method, body, timeout_s)
        except (aiohttp.ClientError, OSError) as error:
            raise TemporaryError(f"the Bot API does not answer: {type(error).__name__}") from None
        if status == OK:
            return said
        if status == CONFLICT:
            raise TemporaryError(
                "another program asks for the updates of this bot",
                retry_after=limits.CONFLICT_PAUSE_S,
            )
        outcome = outcome_of(status, said)
        after = outcome.after if isinstance(outcome, RetryLater) else None
        raise TemporaryError(
            f"the Bot API answers {status} to {method}", retry_after=_seconds(after)
        )

    async def _call(
        self, method: str, body: Mapping[str, object], timeout_s: float
    ) -> tuple[int, Mapping[str, object]]:
        url = URL("/".join((self.address, "bot" + self.token.reveal(), method)), encoded=True)
        async with (
            asyncio.timeout(timeout_s),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
            session.post(url, json=body, allow_redirects=False) as answer,
        ):
            content = bytearray()
            async for piece in answer.content.iter_any():
                content += piece
                if len(content) > limits.MOST_BYTES:
                    raise aiohttp.ClientPayloadError("the answer is too long")
            return answer.status, _object(bytes(content))

    def __repr__(self) -> str:
        return "BotApi(***)"


def _object(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(after: timedelta | None) -> float | None:
    return None if after is None else after.total_seconds()
