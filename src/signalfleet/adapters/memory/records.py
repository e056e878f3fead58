"""Channels, accounts, settings, sealed credentials and the bot's record, in memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from signalfleet.adapters.memory.state import State, json_text, require_aware
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, ChannelId, UserId
from signalfleet.ports.account_words import BROKERS, MODES
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.sealed import SealedSecret, WrappedKey
from signalfleet.ports.store import (
    Account,
    AccountView,
    BotStatus,
    Channel,
)


def _require_version(stored: int, given: int) -> None:
    if stored != given:
        raise ConflictError(f"version {given} was read, version {stored} is stored")


@dataclass(slots=True)
class MemoryChannels:
    _state: State
    _user: UserId

    async def list(self) -> tuple[Channel, ...]:
        channels = self._state.read(self._user).channels
        return tuple(channels[chat] for chat in sorted(channels))

    async def get(self, chat: ChannelId) -> Channel | None:
        return self._state.read(self._user).channels.get(chat)

    async def put(self, channel: Channel) -> Channel:
        channels = self._state.write(self._user).channels
        stored = channels.get(channel.chat)
        _require_version(stored.version if stored else 0, channel.version)
        saved = replace(
            channel,
            checkpoint=stored.checkpoint if stored else 0,
            seen_max=stored.seen_max if stored else 0,
            pts_seen=stored.pts_seen if stored else None,
            version=channel.version + 1,
        )
        channels[channel.chat] = saved
        return saved


@dataclass(slots=True)
class MemoryAccounts:
    _state: State
    _user: UserId

    async def list(self) -> tuple[Account, ...]:
        accounts = self._state.read(self._user).accounts
        return tuple(accounts[one] for one in sorted(accounts))

    async def get(self, account: AccountId) -> Account | None:
        return self._state.read(self._user).accounts.get(account)

    async def put(self, account: Account) -> Account:
        if account.broker not in BROKERS or account.mode not in MODES:
            raise DomainError("an account's broker or mode is not a known word")
        accounts = self._state.write(self._user).accounts
        stored = accounts.get(account.account_id)
        _require_version(stored.version if stored else 0, account.version)
        saved = replace(account, version=account.version + 1)
        accounts[account.account_id] = saved
        return saved

    async def put_view(self, account: AccountId, view: AccountView, epoch: int) -> None:
        require_aware(view.seen_at)
        rows = self._state.write_fenced(self._user, epoch)
        if account not in rows.accounts:
            raise RefusedError("there is no such account")
        rows.views[account] = view

    async def view(self, account: AccountId) -> AccountView | None:
        return self._state.read(self._user).views.get(account)


@dataclass(slots=True)
class MemorySettings:
    _state: State
    _user: UserId

    async def get(self, scope: str) -> tuple[Mapping[str, object], int]:
        text, version = self._state.read(self._user).settings.get(scope, ("{}", 0))
        return json.loads(text), version

    async def put(self, scope: str, doc: Mapping[str, object], version: int) -> int:
        text = json_text(doc, "settings")
        settings = self._state.write(self._user).settings
        _require_version(settings.get(scope, ("", 0))[1], version)
        settings[scope] = (text, version + 1)
        return version + 1

    async def versions(self) -> Mapping[str, int]:
        stored = self._state.read(self._user).settings
        return {scope: version for scope, (_, version) in stored.items()}

    async def list(self) -> Mapping[str, Mapping[str, object]]:
        stored = self._state.read(self._user).settings
        return {scope: json.loads(stored[scope][0]) for scope in sorted(stored)}


@dataclass(slots=True)
class MemoryCredentials:
    _state: State
    _user: UserId

    async def get(self, field: str) -> SealedSecret | None:
        return self._state.read(self._user).sealed.get(field)

    async def put(self, sealed: SealedSecret) -> None:
        self._state.write(self._user).sealed[sealed.field] = sealed

    async def list(self) -> tuple[SealedSecret, ...]:
        sealed = self._state.read(self._user).sealed
        return tuple(sealed[name] for name in sorted(sealed))

    async def replace(self, old: SealedSecret, new: SealedSecret) -> bool:
        sealed = self._state.write(self._user).sealed
        if sealed.get(new.field) != old:
            return False
        sealed[new.field] = new
        return True

    async def delete(self, field: str) -> None:
        self._state.write(self._user).sealed.pop(field, None)

    async def key(self, key_version: int | None = None) -> WrappedKey | None:
        keys = self._state.read(self._user).keys
        return keys.get(max(keys, default=0) if key_version is None else key_version)

    async def add_key(self, key: WrappedKey) -> WrappedKey:
        return self._state.write(self._user).keys.setdefault(key.key_version, key)

    async def keys(self) -> tuple[WrappedKey, ...]:
        keys = self._state.read(self._user).keys
        return tuple(keys[version] for version in sorted(keys))

    async def swap_key(self, old: WrappedKey, new: WrappedKey) -> bool:
        keys = self._state.write(self._user).keys
        if keys.get(new.key_version) != old:
            return False
        keys[new.key_version] = new
        return True

    async def delete_key(self, key_version: int) -> bool:
        rows = self._state.write(self._user)
        if any(one.key_version == key_version for one in rows.sealed.values()):
            return False
        return rows.keys.pop(key_version, None) is not None


@dataclass(slots=True)
class MemoryBot:
    _state: State
    _user: UserId

    async def status(self) -> BotStatus:
        return self._state.read(self._user).bot

    async def set_wish(self, *, on: bool, by: str) -> None:  # noqa: ARG002 - Kept by databases.
        rows = self._state.write(self._user)
        rows.bot = replace(rows.bot, wish_on=on, wish_rev=self._next_rev())

    async def set_halted(self, *, halted: bool) -> None:
        rows = self._state.write(self._user)
        rows.bot = replace(rows.bot, halted=halted, wish_rev=self._next_rev())

    async def set_state(
        self,
        state: BotState,
        *,
        reason: str | None,
        since: datetime,
        retry_at: datetime | None,
        crashes: int,
        epoch: int,
    ) -> None:
        require_aware(since, retry_at)
        rows = self._state.write_fenced(self._user, epoch)
        rows.bot = replace(
            rows.bot, state=state, reason=reason, since=since, retry_at=retry_at, crashes=crashes
        )

    def _next_rev(self) -> int:
        self._state.wish_rev += 1
        return self._state.wish_rev
