"""What deleting a user stands on, in a worker and in a command."""

import asyncio

from signalfleet.adapters.sql.backup import scrub
from signalfleet.app.delete_account import DeleteAccount
from signalfleet.app.sign_in import SignIn
from signalfleet.bootstrap.arming import ArmedState
from signalfleet.bootstrap.brokers import Brokers
from signalfleet.bootstrap.settings import Settings
from signalfleet.bots.session_use import SessionUse
from signalfleet.ports.clock import Clock
from signalfleet.ports.secrets import CredentialStore
from signalfleet.ports.store import Store


def delete_account(
    store: Store,
    credentials: CredentialStore,
    clock: Clock,
    *,
    sign_in: SignIn,
    use: SessionUse,
    brokers: Brokers,
    armed: ArmedState,
    settings: Settings,
) -> DeleteAccount:
    async def scrubbed() -> None:
        if settings.database.startswith("sqlite:"):
            await asyncio.to_thread(scrub, settings.database)

    return DeleteAccount(
        store=store,
        credentials=credentials,
        sign_in=sign_in,
        hosting=brokers.provisioning,
        clock=clock,
        alone=use.alone,
        remember=armed.files.note_shredded,
        scrub=scrubbed,
    )
