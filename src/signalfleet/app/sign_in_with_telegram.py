"""Let somebody in whom Telegram vouches for: the user with this Telegram id, or a new one."""

import structlog

from signalfleet.domain import ids
from signalfleet.ports.identity import ProvenIdentity
from signalfleet.ports.store import Store, UserProfile

log = structlog.get_logger()


async def sign_in_with_telegram(
    store: Store, identity: ProvenIdentity, entropy: bytes
) -> UserProfile:
    """Find or make the user. `entropy` is 16 random bytes for a new user's id.

    No Telegram session comes with it: reading channels needs one, connected later, and it must be
    of the same Telegram id.
    """
    user = ids.new_user_id(entropy)
    profile = await store.fleet.add_user(
        UserProfile(
            user_id=user,
            telegram_id=identity.telegram_id,
            display_name=identity.display_name,
            tier="FREE",
            timezone="UTC",
            slot=ids.slot(user),
        )
    )
    log.info("user_signed_in", user_id=profile.user_id, by="telegram_oidc")
    return profile
