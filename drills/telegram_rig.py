"""What drills about Telegram share: more users, their bots' states, and the server's own truth."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from drills.rig import DRILL_SETTINGS, Rig
from signalfleet.adapters.secrets import SecureCredentialStore
from signalfleet.adapters.sql import SqlStore
from signalfleet.bootstrap.city import CityGoneError
from signalfleet.bootstrap.demo import demo_user
from signalfleet.bootstrap.keys import local_keys
from signalfleet.bootstrap.platform import open_platform
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.records import Trade
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import BotStatus, UserStore

POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One more user of the product, with an account of their own at the broker."""

    user: UserId
    phone: str
    account: str


async def add_members(rig: Rig, names: Sequence[str], *, first: int = 0) -> dict[str, Member]:
    """Sign users in, let them copy the same channels, and give each an account.

    `first` is how many were added before.
    """
    members: dict[str, Member] = {}
    async with open_platform(rig.settings) as platform:
        for number, name in enumerate(names, start=first):
            phone = f"+155502{number:02}"
            person = await rig.city.ask("POST", "/telegram/users", {"phone": phone, "name": name})
            for chat in rig.city.facts["channels"].values():
                await rig.city.ask("POST", f"/telegram/channels/{chat}/join", {"phone": phone})
            # A token of their own, as every user has one: calls are counted by token.
            account = await rig.city.ask_broker("/control/accounts", {"balance": 10_000_000})
            facts = {
                **rig.city.facts,
                "phone": phone,
                "user_id": person["user_id"],
                "metaapi_account": account["accountId"],
                "metaapi_token": account["token"],
            }
            user = await demo_user(platform, replace(rig.city, facts=facts))
            documents = platform.store.user(user).settings
            _, version = await documents.get("user")
            await documents.put("user", DRILL_SETTINGS, version)
            members[name] = Member(user=user, phone=phone, account=account["accountId"])
    return members


class Books:
    """Reads the product's store from outside, while the product runs."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def of(self, user: UserId) -> UserStore:
        return self._store.user(user)

    async def status(self, user: UserId) -> BotStatus:
        return await self.of(user).bot.status()

    async def is_in(self, state: BotState, *users: UserId) -> bool:
        return all([(await self.status(user)).state is state for user in users])

    async def keep_secret(self, rig: Rig, user: UserId, field: str, secret: Secret) -> None:
        keys = local_keys(rig.settings)
        await SecureCredentialStore(self._store, keys).put(user, field, secret)

    async def live(self, user: UserId) -> tuple[Trade, ...]:
        return await self.of(user).journal.live_trades()


async def until(condition: Callable[[], Awaitable[Any]], limit_s: float) -> float | None:
    """Wait for a condition; return the seconds it took, None at the limit."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit_s:
        # On a busy machine the city may answer late; the next look asks it again.
        with contextlib.suppress(CityGoneError):
            if await condition():
                return round(time.monotonic() - begun, 2)
        await asyncio.sleep(POLL_S)
    return None


async def violations(rig: Rig) -> list[str]:
    """Return what the Telegram server says that no good client does."""
    answer = await rig.city.ask("GET", "/telegram/violations")
    return [f"{one['kind']}: {one['detail']}" for one in answer["violations"]]


async def connects(rig: Rig) -> int:
    answer = await rig.city.ask("GET", "/telegram/violations")
    return int(answer["connects"])


async def people(rig: Rig) -> dict[str, dict[str, Any]]:
    """Return every account by its phone: how many sessions, sockets and listeners it has."""
    answer = await rig.city.ask("GET", "/telegram/users")
    return {f"+{one['phone']}": one for one in answer["users"]}


async def positions(rig: Rig, account: str) -> list[dict[str, Any]]:
    shown = await rig.city.ask_broker(f"/control/accounts/{account}")
    found: list[dict[str, Any]] = shown["positions"]
    return found
