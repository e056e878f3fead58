"""Keep a finished Telegram sign-in: the user, the sealed session, the chosen channels."""

from collections.abc import Iterable
from dataclasses import replace

import structlog

from signalfleet.domain import ids
from signalfleet.domain.ids import UserId
from signalfleet.ports.chat_sign_in import SignedIn
from signalfleet.ports.chat_source import ChatListing
from signalfleet.ports.secrets import CredentialStore
from signalfleet.ports.store import Channel, CopyMode, Store, UserProfile

log = structlog.get_logger()

SESSION_FIELD = "telegram_session"
ENDING_FIELD = "telegram_session_ending"
"""A session that the user gave up and that Telegram was not told of yet."""


async def keep_sign_in(
    store: Store, credentials: CredentialStore, signed_in: SignedIn, entropy: bytes
) -> UserProfile:
    """Store the user, or find the one with this Telegram account, and seal the session.

    `entropy` is 16 random bytes for a new user's id.
    """
    user_id = ids.new_user_id(entropy)
    profile = await store.fleet.add_user(
        UserProfile(
            user_id=user_id,
            telegram_id=signed_in.telegram_id,
            display_name=signed_in.display_name,
            tier="FREE",
            timezone="UTC",
            slot=ids.slot(user_id),
        )
    )
    await credentials.put(profile.user_id, SESSION_FIELD, signed_in.session)
    log.info("telegram_connected", user_id=profile.user_id)
    return profile


async def choose_channels(
    store: Store, user: UserId, chosen: Iterable[ChatListing], mode: CopyMode
) -> None:
    """Set the mode of the chosen chats; the first reading starts at their newest message."""
    channels = store.user(user).channels
    for chat in chosen:
        known = await channels.get(chat.chat)
        channel = known or Channel(
            chat=chat.chat,
            kind=chat.kind,
            title=chat.title,
            access_hash=chat.access_hash,
            is_protected=chat.is_protected,
        )
        await channels.put(
            replace(channel, title=chat.title, access_hash=chat.access_hash, mode=mode)
        )
