"""Where a paper account's book outlives the process: a document of the user's own settings."""

from collections.abc import Mapping
from typing import Protocol

from signalfleet.domain.ids import AccountId
from signalfleet.ports.store import SettingsDocs


class PaperMemory(Protocol):
    """Keeps one book. An error of `save` proves nothing: it may have been kept."""

    async def load(self) -> Mapping[str, object] | None: ...

    async def save(self, book: Mapping[str, object]) -> None: ...


class StorePaperMemory:
    """Keeps the book beside the user's settings, with the store's own guard against two writers."""

    def __init__(self, settings: SettingsDocs, account: AccountId) -> None:
        self._settings = settings
        self._scope = f"paper:{account}"
        self._version = 0

    async def load(self) -> Mapping[str, object] | None:
        doc, self._version = await self._settings.get(self._scope)
        return doc or None

    async def save(self, book: Mapping[str, object]) -> None:
        self._version = await self._settings.put(self._scope, book, self._version)
