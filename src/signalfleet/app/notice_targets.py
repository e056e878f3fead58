"""Where a user's notices go besides the pages: linked, shown masked, and taken away again."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalfleet.domain.accounts.delivery import Mark, TargetKind, mark_document
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import ConflictError, TemporaryError
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Store, UserStore

log = structlog.get_logger()

CHOICES_SCOPE: Final = "notifications"
TARGETS_SCOPE: Final = "targets"
WORD_SCOPE: Final = "notify:unsubscribe"
FIELDS: Final[Mapping[TargetKind, str]] = {kind: f"notify_{kind.value}" for kind in TargetKind}
ON: Final = "on"
OFF: Final = "off"
NAME_CHARS: Final = 80
_TRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A place as the pages show it. `state` is on, or why nothing goes there any more."""

    kind: TargetKind
    name: str
    state: str
    since: str

    @property
    def is_on(self) -> bool:
        return self.state == ON


def mark_scope(kind: TargetKind) -> str:
    return f"notify:{kind.value}"


async def linked_targets(store: UserStore) -> dict[TargetKind, Linked]:
    """Return the places of a user, those that were given up too."""
    doc, _ = await store.settings.get(TARGETS_SCOPE)
    found: dict[TargetKind, Linked] = {}
    for kind in TargetKind:
        one = doc.get(kind.value)
        if isinstance(one, dict):
            found[kind] = Linked(
                kind=kind,
                name=str(one.get("name", "")),
                state=str(one.get("state", ON)),
                since=str(one.get("since", "")),
            )
    return found


class NoticeTargets:
    """Links and unlinks. The address itself is a sealed credential; the pages know it masked."""

    def __init__(self, store: Store, credentials: CredentialStore) -> None:
        self._store = store
        self._credentials = credentials

    async def secret_of(self, user: UserId, kind: TargetKind) -> Secret | None:
        return await self._credentials.get(user, FIELDS[kind])

    async def link(
        self, user: UserId, kind: TargetKind, target: Secret, name: str, at: datetime
    ) -> None:
        """Send there from now on; what was told before stays on the page alone."""
        store = self._store.user(user)
        newest = await store.notices.recent(1)
        mark = Mark(done=newest[0].number if newest else 0)
        await _change(store, mark_scope(kind), mark_document(mark))
        if kind is TargetKind.EMAIL:
            await _change(store, WORD_SCOPE, {"word": secrets.token_urlsafe(24)})
        await self._credentials.put(user, FIELDS[kind], target)
        shown = {"name": name[:NAME_CHARS], "state": ON, "since": at.isoformat()}
        await _change(store, TARGETS_SCOPE, {kind.value: shown})
        log.info("notice_target_linked", kind=kind.value)

    async def unlink(self, user: UserId, kind: TargetKind) -> None:
        """Forget the place, whatever its state."""
        await self._credentials.delete(user, FIELDS[kind])
        await _change(self._store.user(user), TARGETS_SCOPE, {kind.value: None})
        log.info("notice_target_unlinked", kind=kind.value)

    async def give_up(self, user: UserId, kind: TargetKind, reason: str) -> None:
        """Forget the address of a place that is gone, and keep why, for the page."""
        await self._credentials.delete(user, FIELDS[kind])
        store = self._store.user(user)
        known = (await linked_targets(store)).get(kind)
        if known is not None:
            shown = {"name": known.name, "state": reason, "since": known.since}
            await _change(store, TARGETS_SCOPE, {kind.value: shown})
        log.warning("notice_target_gone", kind=kind.value, reason=reason)


async def unsubscribe_word(store: UserStore) -> str:
    """Return the word that ends the letters of a user; it can do nothing else."""
    doc, _ = await store.settings.get(WORD_SCOPE)
    return str(doc.get("word", ""))


async def switch_off_letters(store: UserStore, word: str) -> bool:
    """End a user's letters if the word is right; the worker forgets the address when it looks."""
    known = await unsubscribe_word(store)
    if not known or not hmac.compare_digest(known.encode(), word.encode()):
        return False
    email = (await linked_targets(store)).get(TargetKind.EMAIL)
    if email is not None and email.is_on:
        shown = {"name": email.name, "state": OFF, "since": email.since}
        await _change(store, TARGETS_SCOPE, {TargetKind.EMAIL.value: shown})
    return True


async def keep_choices(store: UserStore, doc: Mapping[str, object]) -> None:
    """Store what the user wishes to be told."""
    await _change(store, CHOICES_SCOPE, doc)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneUse:
    """A word that proves something once: kept as its digest, for a while, for a few tries."""

    scope: str
    life: timedelta
    tries: int

    async def give(self, store: UserStore, word: str, now: datetime) -> None:
        until = (now + self.life).isoformat()
        await _change(
            store, self.scope, {"digest": _digest(store.user_id, word), "until": until, "tries": 0}
        )

    async def take(self, store: UserStore, word: str, now: datetime) -> bool:
        """Tell whether this is the word; afterwards it is none any more. Each try counts."""
        doc, version = await store.settings.get(self.scope)
        digest, until, tries = doc.get("digest"), doc.get("until"), doc.get("tries")
        if not isinstance(digest, str) or not isinstance(until, str) or not isinstance(tries, int):
            return False
        if datetime.fromisoformat(until) < now or tries >= self.tries:
            return False
        is_it = hmac.compare_digest(digest, _digest(store.user_id, word))
        try:
            await store.settings.put(
                self.scope, {} if is_it else {**doc, "tries": tries + 1}, version
            )
        except ConflictError:
            return False  # Somebody else tried at this moment; one of the two counts.
        return is_it


def _digest(user: UserId, word: str) -> str:
    return hashlib.sha256(f"{user}|{word}".encode()).hexdigest()


async def _change(store: UserStore, scope: str, changes: Mapping[str, object]) -> None:
    """Change keys of a document; None takes one away. Another writer's change stays."""
    for _ in range(_TRIES):
        doc, version = await store.settings.get(scope)
        after = {key: value for key, value in {**doc, **changes}.items() if value is not None}
        if after == doc:
            return
        try:
            await store.settings.put(scope, after, version)
        except ConflictError:
            continue
        return
    raise TemporaryError("this was changed from several sides at once; try again")
