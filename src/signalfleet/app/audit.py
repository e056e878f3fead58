"""Note in a user's audit trail what was done, and by whom."""

import structlog

from signalfleet.domain.accounts.audit import AuditEntry
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError
from signalfleet.ports.store import UserStore

log = structlog.get_logger()


async def note(
    store: UserStore, clock: Clock, actor: str, action: str, *, about: str = "", **facts: object
) -> None:
    """Add an entry. It tells of what is done: a store that is away is logged and stops nothing."""
    entry = AuditEntry(at=clock.now(), actor=actor, action=action, about=about, facts=facts)
    try:
        await store.events.add(entry)
    except PortError as error:
        log.error("audit_failed", user_id=store.user_id, action=action, kind=type(error).__name__)  # noqa: TRY400 - the store's trouble is logged where it is
