"""Picker: the chats of a signed-in user, for choosing; over the bot's connection if it has one."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from signalfleet.app.connect_telegram import SESSION_FIELD, choose_channels
from signalfleet.app.exits import begin_exit, end_exit
from signalfleet.app.paper_account import ensure_paper_account
from signalfleet.app.probation import begin_probation, skip_probation
from signalfleet.app.watched_chats import choose_topics, topics_of
from signalfleet.bots.session_use import SessionUse
from signalfleet.domain.accounts.copy_states import channel_scope
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.accounts.tiers import UserQuota, limits_of
from signalfleet.domain.ids import ChannelId, UserId
from signalfleet.ports.bus import Plain
from signalfleet.ports.chat_source import ChatDirectory, ChatListing
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError, SignInRequiredError, TemporaryError
from signalfleet.ports.fleet_rows import AttemptLimit
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Channel, CopyMode, Store

FRESH: Final = timedelta(minutes=2)
SHOWN_MAX: Final = 60
CHOSEN_MAX: Final = 200
KNOWN_USERS_MAX: Final = 200
LINK_CHARS: Final = 200
CLICK_LASTS: Final = timedelta(minutes=5)
JOIN_LIMITS: Final = (
    AttemptLimit(count=3, within=timedelta(hours=1)),
    AttemptLimit(count=10, within=timedelta(days=1)),
)
"""Bursts of joins are what Telegram takes for a robot."""
TITLE_CHARS: Final = 128
POST_CHARS: Final = 200


class Picker:
    """Lists, searches and chooses. A list is kept for two minutes: it costs Telegram requests."""

    def __init__(
        self,
        store: Store,
        credentials: CredentialStore,
        clock: Clock,
        use: SessionUse,
        make_directory: Callable[[Secret], ChatDirectory],
        *,
        limits: Callable[[str], UserQuota] = limits_of,
    ) -> None:
        self._limits = limits
        self._store = store
        self._credentials = credentials
        self._clock = clock
        self._use = use
        self._make_directory = make_directory
        self._clicks: dict[str, tuple[UserId, str, datetime]] = {}
        self._known: dict[UserId, tuple[datetime, tuple[ChatListing, ...]]] = {}

    async def answer(self, user: UserId, question: Plain) -> Plain:
        """Answer a page: `chats`, `find`, `join`, `topics`, `latest`... Access hashes stay here."""
        match question.get("op"):
            case "chats":
                return await self._chats(user, str(question.get("search", "")))
            case "find":
                return await self._find(user, str(question.get("link", "")))
            case "join":
                return await self._join(user, str(question.get("click", "")))
            case "topics":
                return await self._topics(user, question.get("chat"))
            case "choose_topics":
                return await self._choose_topics(user, question)
            case "latest":
                return await self._latest(user, question.get("chat"))
            case _:
                return await self._choose(user, question)

    async def listings(self, user: UserId) -> tuple[ChatListing, ...]:
        """Return the user's chats as of at most two minutes ago."""
        known = self._known.get(user)
        now = self._clock.now()
        if known is not None and now - known[0] < FRESH:
            return known[1]
        async with self._directory(user) as directory:
            found = tuple([one async for one in directory.list_chats()])
        if len(self._known) >= KNOWN_USERS_MAX:
            self._known.clear()
        self._known[user] = (now, found)
        return found

    def forget(self, user: UserId) -> None:
        self._known.pop(user, None)

    async def _chats(self, user: UserId, search: str) -> Plain:
        listings = await self.listings(user)
        stored = {one.chat: one for one in await self._store.user(user).channels.list()}
        wanted = search.strip().removeprefix("@").casefold()[:TITLE_CHARS]
        found = [one for one in listings if not wanted or _matches(one, wanted)]
        # What is chosen already stands first, wherever its last message puts it.
        found.sort(key=lambda one: not _is_on(stored.get(one.chat)))
        return {
            "chats": [_shown(one, stored.get(one.chat)) for one in found[:SHOWN_MAX]],
            "found": len(found),
            "of": len(listings),
            "chosen": sum(1 for one in stored.values() if _is_on(one)),
            "most": await self._most(user),
        }

    async def _find(self, user: UserId, link: str) -> Plain:
        """Look a link up; what can be joined comes with the token of one click."""
        link = link.strip()[:LINK_CHARS]
        async with self._directory(user) as directory:
            found = await directory.find(link)
        shown = _shown(found, await self._store.user(user).channels.get(found.chat))
        if found.join == "joined":
            return {"chat": shown, "click": None}
        if len(self._clicks) >= KNOWN_USERS_MAX:
            del self._clicks[next(iter(self._clicks))]
        click = secrets.token_urlsafe(24)
        self._clicks[click] = (user, link, self._clock.now() + CLICK_LASTS)
        return {"chat": shown, "click": click}

    async def _join(self, user: UserId, click: str) -> Plain:
        """Join what was shown for this token: the only thing that is ever written to Telegram."""
        owner, link, until = self._clicks.pop(click, (None, "", self._clock.now()))
        if owner != user or until <= self._clock.now():
            raise RefusedError("this was pressed already, or too late; look the link up again")
        now = self._clock.now()
        free = await self._store.fleet.count_attempt("join", user, now, JOIN_LIMITS)
        if free is not None:
            raise TemporaryError(
                "you joined several chats just now, and Telegram does not like that; "
                "join others in your own Telegram, or here later",
                retry_after=max((free - now).total_seconds(), 1.0),
            )
        async with self._directory(user) as directory:
            joined = await directory.join(link)
        self.forget(user)
        return {"chat": _shown(joined, await self._store.user(user).channels.get(joined.chat))}

    async def renew(self, user: UserId) -> None:
        """Take over what a new session calls the chats that were chosen before.

        Whether an access hash outlives the session it came with, Telegram does not promise.
        """
        channels = self._store.user(user).channels
        stored = {one.chat: one for one in await channels.list() if _is_on(one)}
        if not stored:
            return
        self.forget(user)
        for listing in await self.listings(user):
            known = stored.get(listing.chat)
            if known is not None and known.access_hash != listing.access_hash:
                await channels.put(replace(known, access_hash=listing.access_hash))

    async def _topics(self, user: UserId, chat: object) -> Plain:
        wanted = await self._listing(user, chat)
        async with self._directory(user) as directory:
            found = await directory.topics(wanted)
        read = await topics_of(self._store.user(user), wanted.chat)
        return {
            "title": wanted.title[:TITLE_CHARS],
            "topics": [
                {"topic": one.topic, "title": one.title[:TITLE_CHARS], "read": one.topic in read}
                for one in found
            ],
        }

    async def _choose_topics(self, user: UserId, question: Plain) -> Plain:
        wanted = await self._listing(user, question.get("chat"))
        numbers = question.get("topics")
        given = numbers if isinstance(numbers, list) else []
        topics = [one for one in given if isinstance(one, int)]
        await choose_topics(self._store.user(user), wanted.chat, topics)
        return {"read": len(topics)}

    async def _listing(self, user: UserId, chat: object) -> ChatListing:
        wanted = next((one for one in await self.listings(user) if one.chat == chat), None)
        if wanted is None:
            raise RefusedError("this chat is not among yours")
        return wanted

    async def _latest(self, user: UserId, chat: object) -> Plain:
        wanted = await self._listing(user, chat)
        async with self._directory(user) as directory:
            posts = await directory.latest(wanted)
        return {"posts": [{"at": one.posted_at.isoformat(), "text": one.text} for one in posts]}

    async def _choose(self, user: UserId, question: Plain) -> Plain:
        """Set the mode of what is `chosen`; what is `shown` and not chosen is switched off."""
        chosen, shown = _ids(question.get("chosen")), _ids(question.get("shown"))
        try:
            mode = CopyMode(str(question.get("mode")))
        except ValueError:
            raise RefusedError("choose what is done with the signals") from None
        listings = {one.chat: one for one in await self.listings(user)}
        stored = {one.chat: one for one in await self._store.user(user).channels.list()}
        new = [
            listings[chat] for chat in chosen if chat in listings and not _is_on(stored.get(chat))
        ]
        dropped = [
            listings[chat]
            for chat in shown
            if chat not in chosen and chat in listings and _is_on(stored.get(chat))
        ]
        await self._check_quota(user, stored.values(), len(new), len(dropped))
        await choose_channels(self._store, user, dropped, CopyMode.OFF)
        mine, now = self._store.user(user), self._clock.now()
        # First the probation: without it the first signal would be traded in full.
        for chat in new:
            await begin_probation(mine.settings, chat.chat, now)
            await end_exit(mine, channel_scope(chat.chat), ExitCause.CHANNEL)
        for chat in dropped:
            await begin_exit(mine, channel_scope(chat.chat), ExitCause.CHANNEL, now)
        await choose_channels(self._store, user, new, mode)
        if question.get("skip_probation") is True:
            for chat in new:
                await skip_probation(mine, chat.chat, now)
        await ensure_paper_account(mine)
        kept = await mine.channels.list()
        return {"chosen": sum(1 for one in kept if _is_on(one)), "changed": len(new) + len(dropped)}

    async def _check_quota(
        self, user: UserId, stored: Iterable[Channel], new: int, dropped: int
    ) -> None:
        """Refuse more channels than the plan reads; switching some off is always possible."""
        most = await self._most(user)
        wanted = sum(1 for one in stored if _is_on(one)) + new - dropped
        if new and wanted > most:
            raise RefusedError(
                f"your plan reads {most} channels at once, and this would be {wanted}; "
                "take the tick from some, or choose a larger plan"
            )

    async def _most(self, user: UserId) -> int:
        profile = await self._store.fleet.get_user(user)
        return self._limits(profile.tier if profile is not None else "").max_signal_channels

    @asynccontextmanager
    async def _directory(self, user: UserId) -> AsyncIterator[ChatDirectory]:
        live = self._use.directory(user)
        if live is not None:
            yield live
            return
        async with self._use.alone(user):
            session = await self._credentials.get(user, SESSION_FIELD)
            if session is None:
                raise SignInRequiredError("connect Telegram first", reason="never_signed_in")
            yield self._make_directory(session)


def _is_on(channel: Channel | None) -> bool:
    return channel is not None and channel.mode is not CopyMode.OFF


def _matches(listing: ChatListing, wanted: str) -> bool:
    return wanted in listing.title.casefold() or wanted in (listing.username or "").casefold()


def _ids(values: object) -> Sequence[ChannelId]:
    if not isinstance(values, list) or len(values) > CHOSEN_MAX:
        raise RefusedError(f"choose at most {CHOSEN_MAX} chats at once")
    return [ChannelId(one) for one in values if isinstance(one, int)]


def _shown(listing: ChatListing, stored: Channel | None) -> Mapping[str, object]:
    at = listing.last_post_at
    return {
        "chat": listing.chat,
        "kind": listing.kind,
        "title": listing.title[:TITLE_CHARS],
        "username": listing.username,
        "members": listing.members,
        "has_photo": listing.has_photo,
        "join": listing.join,
        "is_protected": listing.is_protected,
        "is_forum": listing.is_forum,
        "last_post": "" if listing.is_protected else listing.last_post[:POST_CHARS],
        "last_post_at": at.isoformat() if at is not None else None,
        "mode": stored.mode.value if stored is not None else CopyMode.OFF.value,
    }
