"""Look at the settings of a user, an account or a channel, and change them as one document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from signalfleet.domain.accounts.tiers import UserQuota
from signalfleet.domain.ids import AccountId, ChannelId
from signalfleet.domain.settings.catalogue import CATALOGUE
from signalfleet.domain.settings.resolve import (
    NO_SETTINGS,
    Effective,
    Level,
    problems_of,
    resolve,
)
from signalfleet.domain.settings.values import Scope
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.store import SettingsDocs, UserStore

log = structlog.get_logger()

DEFAULT: Final = "your default"
YOUR_PLAN: Final = "your plan"
ELSEWHERE: Final = frozenset({"copy_state"})
"""Settings with a page of their own: stopping is one press, and starting again needs a sign-in."""


class SettingsRefusedError(RefusedError):
    """The document may not be saved; `problems` are all reasons, a sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsPlace:
    """Whose settings: the user's own, one account's or one channel's."""

    account: AccountId | None = None
    chat: ChannelId | None = None

    @property
    def scope(self) -> Scope:
        if self.chat is not None:
            return Scope.CHANNEL
        return Scope.USER if self.account is None else Scope.ACCOUNT

    @property
    def key(self) -> str:
        """Return the name under which the document is stored."""
        match self.scope:
            case Scope.CHANNEL:
                return f"channel:{self.chat}"
            case Scope.ACCOUNT:
                return f"account:{self.account}"
            case Scope.USER:
                return "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsView:
    """A place's own values, as stored, and what is in force there.

    `revision` is what a change must name.
    """

    place: SettingsPlace
    title: str
    own: Mapping[str, object]
    revision: int
    effective: Effective


async def load_levels(
    docs: SettingsDocs, chat: ChannelId | None, account: AccountId | None
) -> list[Level]:
    """Return the stored levels, most specific first."""
    levels = []
    if chat is not None:
        doc, _ = await docs.get(f"channel:{chat}")
        levels.append(Level(source="channel", doc=doc))
    if account is not None:
        doc, _ = await docs.get(f"account:{account}")
        levels.append(Level(source="account", doc=doc))
    doc, _ = await docs.get("user")
    return [*levels, Level(source=DEFAULT, doc=doc)]


def cap_of(quota: UserQuota) -> Level:
    """Return what the user's plan allows, as the level that bounds all others."""
    return Level(source=YOUR_PLAN, doc={"max_open_trades": str(quota.max_open_positions)})


class EditSettings:
    """Settings of one user. Another user's account or channel is not found."""

    def __init__(self, store: UserStore, quota: UserQuota) -> None:
        self._store, self._cap = store, cap_of(quota)

    async def load(self, place: SettingsPlace) -> SettingsView:
        """Return what is set and what is in force; RefusedError if there is no such place."""
        title = await self._title(place)
        docs = self._store.settings
        stored, revision = await docs.get(place.key)
        levels = await load_levels(docs, place.chat, place.account)
        own = {k: value for k, value in stored.items() if k in CATALOGUE and k not in ELSEWHERE}
        return SettingsView(
            place=place,
            title=title,
            own=own,
            revision=revision,
            effective=resolve(levels, self._cap),
        )

    async def change(
        self,
        place: SettingsPlace,
        values: Mapping[str, object],
        *,
        unset: frozenset[str] = frozenset(),
        revision: int | None = None,
    ) -> int:
        """Set some values and take others back; return the new revision.

        SettingsRefusedError names all that is wrong. ConflictError if `revision` is given and the
        document has changed since. What is no setting stays as it is stored.
        """
        await self._title(place)
        wrong = [f"{key} is no setting." for key in sorted(unset - set(CATALOGUE))]
        wrong += [
            f"{key} is not changed here: see the page Copying."
            for key in sorted(ELSEWHERE & {*values, *unset})
        ]
        wrong += problems_of(values, place.scope)
        if wrong:
            raise SettingsRefusedError(wrong)
        docs = self._store.settings
        stored, at = await docs.get(place.key)
        if revision is not None and at != revision:
            raise ConflictError("the settings were changed elsewhere meanwhile")
        kept = {key: value for key, value in stored.items() if key not in unset}
        doc = {**kept, **_written(values)}
        if doc == dict(stored):
            return at
        log.info("settings_changed", scope=place.scope.value, keys=sorted({*values, *unset}))
        return await docs.put(place.key, doc, at)

    async def replace(self, place: SettingsPlace, values: Mapping[str, object]) -> int:
        """Make the place's settings exactly these; `profile` and the like stay."""
        foreign = sorted(set(values) & NO_SETTINGS)
        if foreign:
            raise SettingsRefusedError([f"{key} is no setting." for key in foreign])
        view = await self.load(place)
        unset = frozenset(view.own) - set(values)
        return await self.change(place, values, unset=unset, revision=view.revision)

    async def _title(self, place: SettingsPlace) -> str:
        if place.chat is not None:
            channel = await self._store.channels.get(place.chat)
            if channel is None:
                raise RefusedError("there is no such channel")
            return channel.title
        if place.account is not None:
            account = await self._store.accounts.get(place.account)
            if account is None:
                raise RefusedError("there is no such account")
            return account.login_masked or account.server or account.account_id
        return "All channels and accounts"


def _written(values: Mapping[str, object]) -> dict[str, Any]:
    """Return the values in the one form in which they are stored."""
    return {key: CATALOGUE[key].write(CATALOGUE[key].parse(value)) for key, value in values.items()}
