"""Picker: the chats of a signed-in user, for choosing; over the bot's connection if it has one."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from signalfleet.app.connect_telegram import SESSION_FIELD, choose_channels
from signalfleet.bots.session_use import SessionUse
from signalfleet.domain.ids import ChannelId, UserId
from signalfleet.ports.bus import Plain
from signalfleet.ports.chat_source import ChatDirectory, ChatListing
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError, SignInRequiredError
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Channel, CopyMode, Store

FRESH: Final = timedelta(minutes=2)
SHOWN_MAX: Final = 60
CHOSEN_MAX: Final = 200
KNOWN_USERS_MAX: Final = 200
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
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._clock = clock
        self._use = use
        self._make_directory = make_directory
        self._known: dict[UserId, tuple[datetime, tuple[ChatListing, ...]]] = {}

    async def answer(self, user: UserId, question: Plain) -> Plain:
        """Answer a page: `chats`, `find`, `latest` or `choose`. Access hashes stay here."""
        match question.get("op"):
            case "chats":
                return await self._chats(user, str(question.get("search", "")))
            case "find":
                async with self._directory(user) as directory:
                    found = await directory.find(str(question.get("link", "")))
                return {"chat": _shown(found, None)}
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
        }

    async def _latest(self, user: UserId, chat: object) -> Plain:
        wanted = next((one for one in await self.listings(user) if one.chat == chat), None)
        if wanted is None:
            raise RefusedError("this chat is not among yours")
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
        await choose_channels(self._store, user, new, mode)
        await choose_channels(self._store, user, dropped, CopyMode.OFF)
        kept = await self._store.user(user).channels.list()
        return {"chosen": sum(1 for one in kept if _is_on(one)), "changed": len(new) + len(dropped)}

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
        "last_post": "" if listing.is_protected else listing.last_post[:POST_CHARS],
        "last_post_at": at.isoformat() if at is not None else None,
        "mode": stored.mode.value if stored is not None else CopyMode.OFF.value,
    }
