"""The worker's store with an emergency journal for each user."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from weakref import WeakValueDictionary

from signalfleet.adapters.emergency.entries import EntryFile
from signalfleet.adapters.emergency.journal import EmergencyJournal
from signalfleet.domain.ids import AccountId, UserId
from signalfleet.domain.trading.records import MessageKey
from signalfleet.ports.chat_source import ChatBatch
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import StoreUnavailableError
from signalfleet.ports.inbox import Inbox
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.store import Accounts, AccountView, OrderJournal, Store, UserStore


class EmergencyStore:
    """Port Store. Use it in the one process that trades for its users."""

    def __init__(self, store: Store, folder: Path, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._metrics = metrics
        self._journals: WeakValueDictionary[UserId, EmergencyJournal] = WeakValueDictionary()
        """One for each user, for as long as somebody uses it: a bot that is gone weighs nothing."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - The store's own part.
        return getattr(self._store, name)

    def user(self, user_id: UserId) -> UserStore:
        mine = _EmergencyUserStore(self._store.user(user_id), lambda: self._of(user_id))
        return cast("UserStore", mine)

    async def recover(self, user_id: UserId, epoch: int) -> None:
        """Tell the store what only the file knows; the first thing that a user's bot does."""
        await self._of(user_id).recover(epoch)

    def _of(self, user_id: UserId) -> EmergencyJournal:
        found = self._journals.get(user_id)
        if found is None:
            found = self._journals[user_id] = EmergencyJournal(
                self._store.user(user_id).journal,
                EntryFile(self._folder, user_id),
                self._clock,
                self._metrics,
            )
        return found


class _EmergencyUserStore:
    def __init__(self, store: UserStore, find: Callable[[], EmergencyJournal]) -> None:
        self._store = store
        self._find = find

    @cached_property
    def _journal(self) -> EmergencyJournal:
        return self._find()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - The store's own part.
        return getattr(self._store, name)

    @property
    def journal(self) -> OrderJournal:
        return cast("OrderJournal", self._journal)

    @property
    def accounts(self) -> Accounts:
        return cast("Accounts", _ForgivingAccounts(self._store.accounts, self._journal))

    @property
    def inbox(self) -> Inbox:
        return cast("Inbox", _ToldInbox(self._store.inbox, self._journal))


class _ForgivingAccounts:
    """What an account looks like is for showing only: it must not end a look at the account."""

    def __init__(self, accounts: Accounts, journal: EmergencyJournal) -> None:
        self._accounts = accounts
        self._journal = journal

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - The store's own method.
        return getattr(self._accounts, name)

    async def put_view(self, account: AccountId, view: AccountView, epoch: int) -> None:
        if self._journal.is_away():
            return
        try:
            await self._accounts.put_view(account, view, epoch)
        except StoreUnavailableError as error:
            self._journal.note_away(error)
        else:
            self._journal.note_written()


class _ToldInbox:
    """Messages wait at Telegram while they cannot be written; people are told of it."""

    def __init__(self, inbox: Inbox, journal: EmergencyJournal) -> None:
        self._inbox = inbox
        self._journal = journal

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - The store's own method.
        return getattr(self._inbox, name)

    async def add(
        self, batch: ChatBatch, received_at: datetime, epoch: int
    ) -> tuple[MessageKey, ...]:
        try:
            added = await self._inbox.add(batch, received_at, epoch)
        except StoreUnavailableError as error:
            self._journal.note_away(error)
            raise
        self._journal.note_written()
        return added
