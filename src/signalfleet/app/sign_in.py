"""Decide what becomes of a finished Telegram sign-in: whose it is, and which session stays."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from signalfleet.app.connect_telegram import ENDING_FIELD, SESSION_FIELD
from signalfleet.domain import ids
from signalfleet.domain.ids import UserId
from signalfleet.ports.chat_sign_in import ChatSessions, SignedIn
from signalfleet.ports.errors import ConflictError, PortError, RefusedError, TemporaryError
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Store, UserProfile

log = structlog.get_logger()

CONSENT_SCOPE = "consent"
OTHER_ACCOUNT = "this is another Telegram account than the one that you signed in with before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Which wording the user agreed to, and when."""

    version: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoSignsIn:
    """`user` is an id that is free so far for a visitor, and the signed-in user's own otherwise."""

    user: UserId
    is_visitor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """`is_kept`: the new session is the stored one now; else the older one is, and lives."""

    profile: UserProfile
    is_kept: bool


class SignIn:
    """Settles sign-ins. The caller keeps bots off the user's session meanwhile."""

    def __init__(self, store: Store, credentials: CredentialStore, sessions: ChatSessions) -> None:
        self._store = store
        self._credentials = credentials
        self._sessions = sessions

    async def owner(self, who: WhoSignsIn, signed_in: SignedIn) -> UserProfile:
        """Find or make the user of this Telegram account.

        RefusedError, and nothing stays signed in at Telegram, if it is not the one expected.
        """
        fleet = self._store.fleet
        profile: UserProfile | None
        if who.is_visitor:
            profile = await fleet.add_user(
                UserProfile(
                    user_id=who.user,
                    telegram_id=signed_in.telegram_id,
                    display_name=signed_in.display_name,
                    tier="FREE",
                    timezone="UTC",
                    slot=ids.slot(who.user),
                )
            )
        else:
            profile = await fleet.get_user(who.user)
        # Of a visitor too: the id that it came with may be somebody's.
        if profile is not None and profile.telegram_id == signed_in.telegram_id:
            return profile
        log.warning("telegram_account_refused", user_id=who.user)
        await self.leave(signed_in.session)
        raise RefusedError(OTHER_ACCOUNT)

    async def settle(
        self,
        profile: UserProfile,
        signed_in: SignedIn,
        consent: Consent | None,
        *,
        is_in_use: bool,
    ) -> Settled:
        """Keep one session: the older one while it lives, else the new one, sealed."""
        user = profile.user_id
        if consent is not None:
            await self._note_consent(user, consent)
        stored = await self._stored(user)
        if stored is not None and (is_in_use or await self._lives(stored)):
            await self.leave(signed_in.session)
            log.info("telegram_session_kept", user_id=user)
            return Settled(profile=profile, is_kept=False)
        await self._credentials.put(user, SESSION_FIELD, signed_in.session)
        log.info("telegram_connected", user_id=user)
        return Settled(profile=profile, is_kept=True)

    async def set_aside(self, user: UserId) -> bool:
        """Put the session where no bot finds it, to be ended; False if there is none."""
        stored = await self._stored(user)
        if stored is not None:
            earlier = await self._stored(user, ENDING_FIELD)
            if earlier is not None and earlier.reveal() != stored.reveal():
                await self.leave(earlier)
            await self._credentials.put(user, ENDING_FIELD, stored)
        # Also what could not be opened: it is of use to nobody.
        await self._credentials.delete(user, SESSION_FIELD)
        return stored is not None

    async def sign_out(self, user: UserId) -> bool:
        """End the user's session where no bot runs; False if there is none."""
        await self.set_aside(user)
        return await self.end_session(user)

    async def end_session(self, user: UserId) -> bool:
        """End the session that was set aside at Telegram, then delete it; False if there is none.

        TemporaryError if Telegram could not be told: the row stays, for another try.
        """
        ending = await self._stored(user, ENDING_FIELD)
        if ending is not None:
            await self._sessions.log_out(ending)
        await self._credentials.delete(user, ENDING_FIELD)
        log.info("telegram_disconnected", user_id=user)
        return ending is not None

    async def leave(self, session: Secret) -> None:
        """End a session that nobody keeps, as far as Telegram can be reached."""
        try:
            await self._sessions.log_out(session)
        except PortError as error:
            log.warning("telegram_session_left", cause=type(error).__name__)

    async def _stored(self, user: UserId, field: str = SESSION_FIELD) -> Secret | None:
        try:
            return await self._credentials.get(user, field)
        except RefusedError:
            log.warning("stored_session_unreadable", user_id=user)
            return None

    async def _lives(self, stored: Secret) -> bool:
        try:
            return await self._sessions.is_alive(stored)
        except TemporaryError:
            # The new one has just worked; of the old one nothing is known.
            return False

    async def _note_consent(self, user: UserId, consent: Consent) -> None:
        settings = self._store.user(user).settings
        doc, version = await settings.get(CONSENT_SCOPE)
        given = {"version": consent.version, "at": consent.at.isoformat()}
        try:
            await settings.put(CONSENT_SCOPE, {**doc, "telegram": given}, version)
        except ConflictError:
            log.warning("consent_noted_twice", user_id=user)
