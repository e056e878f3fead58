"""Tell a user something: stored for the dashboard and other channels, then shown on open pages."""

import structlog

from signalfleet.domain.accounts.notices import Notice
from signalfleet.ports.bus import Bus, LiveEvent
from signalfleet.ports.errors import PortError
from signalfleet.ports.store import UserStore

log = structlog.get_logger()


async def notify(store: UserStore, bus: Bus, notice: Notice) -> bool:
    """Store the notice unless the user was told just now; True if it is new.

    What it tells of has happened already, so a store that is away is logged and stops nothing.
    """
    try:
        is_new = await store.notices.add(notice)
    except PortError as error:
        log.warning("notice_lost", kind=notice.kind.value, cause=type(error).__name__)
        return False
    if is_new:
        payload = {"kind": notice.kind.value, "level": notice.level.value}
        await bus.publish_event(LiveEvent(user=store.user_id, kind="notice", payload=payload))
    return is_new
