"""A user's store as its bot uses it: what it has read or written itself is not read again."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar, cast

from signalfleet.app.kept_journal import KeptJournal
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.clock import Clock
from signalfleet.ports.store import (
    Account,
    Accounts,
    Channel,
    Channels,
    OrderJournal,
    SettingsDocs,
    UserStore,
)
from signalfleet.ports.tenant_records import Quota

T = TypeVar("T")

SEEN_FOR_S: Final = 1.0
"""A question so soon after the last comes from the same look; a decision begins with a new one."""
MAX_DOCS: Final = 300


class KeptStore:
    """Port UserStore for the one bot that owns the user's slot; it lives as long as the bot."""

    def __init__(self, store: UserStore, clock: Clock) -> None:
        self._store = store
        self._settings = KeptSettings(store.settings, clock)
        self._channels = KeptChannels(store.channels, clock)
        self._accounts = KeptAccounts(store.accounts, clock)
        self.settings = cast("SettingsDocs", self._settings)
        quota = KeptQuota(store.quota)
        self.quota = cast("Quota", quota)
        self.journal = cast("OrderJournal", KeptJournal(store.journal, clock, quota.forget))
        self.channels = cast("Channels", self._channels)
        self.accounts = cast("Accounts", self._accounts)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - The store's own part.
        return getattr(self._store, name)

    def look_again(self) -> None:
        """Read anew what the web writes too: all that it has written by now counts."""
        for one in (self._settings, self._channels, self._accounts):
            one.look_again()


class KeptSettings:
    """Port SettingsDocs. A document is read again when its version has become another one.

    The web writes settings too, and what it wrote counts for the next signal: so versions, all in
    one read, are asked for again with the next question that comes a moment later.
    """

    def __init__(self, settings: SettingsDocs, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._kept: dict[str, tuple[Mapping[str, object], int]] = {}
        self._seen_at: float | None = None
        self._looks = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - The documents' own method.
        return getattr(self._settings, name)

    async def get(self, scope: str) -> tuple[Mapping[str, object], int]:
        if self._seen_at is None or self._clock.monotonic() - self._seen_at > SEEN_FOR_S:
            await self._see()
        kept = self._kept.get(scope)
        if kept is None:
            doc, version = await self._settings.get(scope)
            kept = MappingProxyType(dict(doc)), version
            if len(self._kept) >= MAX_DOCS:
                self._kept.clear()
            self._kept[scope] = kept
        return kept

    def look_again(self) -> None:
        self._seen_at = None
        self._looks += 1

    async def put(self, scope: str, doc: Mapping[str, object], version: int) -> int:
        try:
            return await self._settings.put(scope, doc, version)
        finally:
            self._kept.pop(scope, None)

    async def _see(self) -> None:
        """Learn which documents are other ones by now."""
        asked, looks = self._clock.monotonic(), self._looks
        versions = await self._settings.versions()
        kept = self._kept.items()
        self._kept = {scope: one for scope, one in kept if versions.get(scope, 0) == one[1]}
        if looks == self._looks:  # Else it was asked before what is to be seen now.
            self._seen_at = asked


class _Lately(Generic[T]):
    """What was read a moment ago."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read_at = 0.0
        self._found: Sequence[T] | None = None
        self._forgets = 0

    async def get(self, read: Callable[[], Awaitable[Sequence[T]]]) -> Sequence[T]:
        asked, forgets = self._clock.monotonic(), self._forgets
        if self._found is not None and asked - self._read_at <= SEEN_FOR_S:
            return self._found
        found = await read()
        if forgets == self._forgets:  # Else it was read before what is to be seen now.
            self._found, self._read_at = found, asked
        return found

    def forget(self) -> None:
        self._found = None
        self._forgets += 1


class KeptChannels:
    """Port Channels: one read for all channels serves a whole decision."""

    def __init__(self, channels: Channels, clock: Clock) -> None:
        self._channels = channels
        self._lately: _Lately[Channel] = _Lately(clock)

    async def list(self) -> Sequence[Channel]:
        return await self._lately.get(self._channels.list)

    async def get(self, chat: ChannelId) -> Channel | None:
        return next((one for one in await self.list() if one.chat == chat), None)

    def look_again(self) -> None:
        self._lately.forget()

    async def put(self, channel: Channel) -> Channel:
        try:
            return await self._channels.put(channel)
        finally:
            self._lately.forget()


class KeptAccounts:
    """Port Accounts: one read for all accounts serves a whole decision."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._lately: _Lately[Account] = _Lately(clock)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - The accounts' own method.
        return getattr(self._accounts, name)

    async def list(self) -> Sequence[Account]:
        return await self._lately.get(self._accounts.list)

    def look_again(self) -> None:
        self._lately.forget()

    async def put(self, account: Account) -> Account:
        try:
            return await self._accounts.put(account)
        finally:
            self._lately.forget()


class KeptQuota:
    """Port Quota. What a bot counts nobody else does; whether there is room, the store says."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._used: dict[tuple[str, str], int] = {}
        self._changes = 0

    def forget(self) -> None:
        """Read it again: what is counted has become another number, or may have."""
        self._changes += 1
        self._used = {}

    async def used(self, kind: str, day: str) -> int:
        key = (kind, day)
        found = self._used.get(key)
        if found is None:
            changes = self._changes
            found = await self._quota.used(kind, day)
            if changes == self._changes:
                self._used = {key: found}
        return found

    async def reserve(self, kind: str, day: str, limit: int) -> int | None:
        try:
            return await self._quota.reserve(kind, day, limit)
        finally:
            self.forget()

    async def give_back(self, kind: str, day: str) -> None:
        try:
            await self._quota.give_back(kind, day)
        finally:
            self.forget()
