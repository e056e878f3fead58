"""What is known of a user's channels while messages are handled: read, compiled once, kept."""

from dataclasses import replace
from typing import Final

from signalfleet.app.profile_document import KEY, ProfileRefusedError, read_document
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId
from signalfleet.domain.instruments.model import Instrument
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.signals.profiles import NO_PROFILE, ChannelProfile
from signalfleet.ports.patterns import PatternCompiler
from signalfleet.ports.store import SettingsDocs

MAX_KEPT: Final = 500
PROFILE_BYTES: Final = 1_000
"""An empty profile has 800; words, rules and layouts add to it."""


class ChannelProfiles:
    """Gives the profile of a channel; its patterns are compiled once for each stored version."""

    def __init__(self, settings: SettingsDocs, parser: Parser, patterns: PatternCompiler) -> None:
        self._settings = settings
        self._parser = parser
        self._patterns = patterns
        self._kept: dict[ChannelId, tuple[int, ChannelProfile]] = {}

    async def of(self, chat: ChannelId) -> ChannelProfile:
        """Return the stored profile. ProfileRefusedError if this version cannot use it."""
        doc, version = await self._settings.get(f"channel:{chat}")
        kept = self._kept.get(chat)
        if kept is not None and kept[0] == version:
            return kept[1]
        profile = self._compiled(doc[KEY]) if KEY in doc else NO_PROFILE
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[chat] = (version, profile)
        return profile

    def footprint(self) -> int:
        """Return about how many bytes the kept profiles hold."""
        return len(self._kept) * PROFILE_BYTES

    def meant_by(self, chat: ChannelId, symbol: str, instrument: Instrument) -> Instrument:
        """Return the instrument with the channel's own meaning of a pip."""
        profile = self._kept.get(chat, (0, NO_PROFILE))[1]
        size = profile.pip_size.get(symbol)
        return instrument if size is None else replace(instrument, pip_size=size)

    def _compiled(self, doc: object) -> ChannelProfile:
        profile = read_document(doc, self._patterns).profile
        try:
            self._parser.facts("", profile)
        except DomainError as error:
            raise ProfileRefusedError([f"keywords: {error}."]) from error
        return profile
