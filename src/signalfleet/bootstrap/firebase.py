"""The Firebase store, which is imported only where STORE_URL asks for it: its SDK is an extra."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import Enum
from typing import TYPE_CHECKING

from signalfleet.bootstrap.settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from signalfleet.adapters.firebase import FirebaseStore
    from signalfleet.ports.store_copy import RowAccess

INSTALL = "STORE_URL=firebase:// needs a package more: pip install 'signalfleet[firebase]'"


class StoreRole(Enum):
    """Whose rights a process needs. PostgreSQL knows them by its users, Firebase by identities."""

    BOTH = "both"
    WORKER = "worker"
    WEB = "web"


async def open_firebase(settings: Settings, role: StoreRole = StoreRole.BOTH) -> FirebaseStore:
    """Open the instances as the identities of the role; ConfigurationError says what to change."""
    with _found():
        from signalfleet.adapters.firebase import FirebaseStore, Identity  # noqa: PLC0415 - an extra
    identities = {
        StoreRole.BOTH: (Identity.WORKER, Identity.WEB),
        StoreRole.WORKER: (Identity.WORKER,),
        StoreRole.WEB: (Identity.WEB,),
    }
    with _usable():
        return await FirebaseStore.open(
            settings.firebase_urls,
            cell=settings.cell,
            identities=identities[role],
            account_file=settings.google_application_credentials,
        )


@asynccontextmanager
async def open_firebase_rows(settings: Settings) -> AsyncIterator[RowAccess]:
    """Open the instances for a copy. The rules are asked before: they must hold for the product."""
    store = await open_firebase(settings)
    await store.aclose()
    from signalfleet.adapters.firebase import open_row_access  # noqa: PLC0415 - an extra

    urls, account_file = settings.firebase_urls, settings.google_application_credentials
    async with open_row_access(urls, account_file) as rows:
        yield rows


@contextmanager
def _found() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("signalfleet"):
            raise
        raise ConfigurationError(INSTALL) from None


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Firebase cannot be used: see FIREBASE_DATABASE_URLS and "
            f"GOOGLE_APPLICATION_CREDENTIALS ({type(error).__name__})"
        ) from None
