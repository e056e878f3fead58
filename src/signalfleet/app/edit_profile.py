"""Look at a channel's profile, try texts against one, and save it if nothing speaks against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from signalfleet.app.profile_document import (
    KEY,
    KeptExample,
    ProfileDocument,
    ProfileRefusedError,
    RuleSamples,
    read_document,
)
from signalfleet.app.watch_layouts import ChannelWatch, from_document, scope
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.judge import Verdict, judge
from signalfleet.domain.signals.labels import LABEL_TIME, to_labels
from signalfleet.domain.signals.model import (
    ChannelMessage,
    Context,
    FollowUp,
    Parsed,
    ParseResult,
    Signal,
)
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.signals.profiles import NO_PROFILE, ChannelProfile
from signalfleet.domain.signals.rule_checks import Objection, Refusal, refusals
from signalfleet.domain.signals.rules import RuleAction
from signalfleet.domain.signals.text import fold
from signalfleet.ports.patterns import PatternCompiler
from signalfleet.ports.store import SettingsDocs

log = structlog.get_logger()

EXCERPT: Final = 80
SHOWN: Final = 5
PARENT, TRIED = MessageId(1), MessageId(2)
SENTENCES: Final[Mapping[Objection, str]] = {
    Objection.TOO_MANY_RULES: "Too many rules: {about}.",
    Objection.UNKNOWN_GROUP: "Rule {about} is no group that a rule may have.",
    Objection.MISSING_GROUP: "Rule {about} is missing; name a group or fix it in the rule.",
    Objection.WRONG_WORDS: "Keywords: {about}.",
    Objection.OPENS_ON_CHATTER: 'With this profile a trade would open on chatter: "{about}".',
    Objection.CHANGES_EXAMPLE: "A message that you found read right would be read otherwise: "
    '"{about}".',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProfile:
    """A channel's profile as it is kept; `revision` is what a save must name."""

    doc: Mapping[str, Any]
    revision: int
    watch: ChannelWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a text would be read; `verdicts` has one entry for each reading that can act."""

    text: str
    result: ParseResult
    verdicts: tuple[Verdict, ...]


class EditProfile:
    """Checks and saves profiles. It holds nothing of a user."""

    def __init__(
        self,
        parser: Parser,
        patterns: PatternCompiler,
        inert: Sequence[ChannelMessage],
        symbols: frozenset[str],
    ) -> None:
        self._parser = parser
        self._patterns = patterns
        self._inert = inert
        self._symbols = symbols

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(sorted(self._symbols))

    async def load(self, settings: SettingsDocs, chat: ChannelId) -> StoredProfile:
        doc, revision = await settings.get(f"channel:{chat}")
        habit, _ = await settings.get(scope(chat))
        found = doc.get(KEY)
        return StoredProfile(
            doc=found if isinstance(found, Mapping) else {},
            revision=revision,
            watch=from_document(habit),
        )

    def check(self, doc: object) -> ProfileDocument:
        """Return the profile, compiled; ProfileRefusedError says why it may not be saved."""
        given = read_document(doc, self._patterns)
        problems = [
            f"{symbol} is no symbol that is known; write it as XAUUSD."
            for symbol in sorted(_named(given.profile) - self._symbols)
        ]
        problems += [
            problem
            for sample in given.samples
            for problem in self._of_samples(sample, given.profile)
        ]
        if problems:
            raise ProfileRefusedError(problems)
        examples = [example for example in given.examples if not self._is_kept(example, given)]
        found = refusals(_anywhere(given.profile), parser=self._parser, inert=self._inert)
        changed = [
            Refusal(objection=Objection.CHANGES_EXAMPLE, about=example.text) for example in examples
        ]
        said = dict.fromkeys(_sentence(one) for one in (*found, *changed))
        if said:
            raise ProfileRefusedError([*list(said)[:SHOWN], *_more(len(said))])
        return given

    async def save(
        self, settings: SettingsDocs, chat: ChannelId, doc: Mapping[str, Any], revision: int
    ) -> int:
        """Save a profile that passes every check, under the next version; return that version.

        ConflictError if the channel's document changed since `revision`.
        """
        stored, _ = await settings.get(f"channel:{chat}")
        before = stored.get(KEY)
        version = int(before.get("version", 0)) + 1 if isinstance(before, Mapping) else 1
        numbered = {**_filled(doc), "version": version}
        self.check(numbered)
        await settings.put(f"channel:{chat}", {**stored, KEY: numbered}, revision)
        log.info("profile_saved", chat=chat, version=version)
        return version

    async def confirm_layouts(self, settings: SettingsDocs, chat: ChannelId) -> int:
        """Take the way in which the channel writes now as right: its signals open again."""
        stored = await self.load(settings, chat)
        habit = stored.watch.habit
        known = {str(layout) for layout in stored.doc.get("layouts", ())}
        known |= {layout for layout in habit.layouts if habit.is_strange(layout)}
        doc = {**stored.doc, "layouts": sorted(known)[-200:], "layouts_at": habit.total}
        return await self.save(settings, chat, doc, stored.revision)

    def try_text(
        self, text: str, profile: ChannelProfile = NO_PROFILE, reply_to: str | None = None
    ) -> Trial:
        """Read a text as the channel's messages would be read with this profile."""
        context = Context(replied=_message(reply_to, PARENT)) if reply_to else Context()
        result = self._parser.parse(_message(text, TRIED), context, _anywhere(profile))
        readings = result.readings if isinstance(result, Parsed) else ()
        return Trial(
            text=text,
            result=result,
            verdicts=tuple(
                judge(reading, profile=profile)
                for reading in readings
                if isinstance(reading, Signal | FollowUp)
            ),
        )

    def example_of(self, trial: Trial, reply_to: str | None = None) -> dict[str, Any]:
        """Return what a profile keeps of a text that was read right."""
        kept: dict[str, Any] = {"text": trial.text, "labels": to_labels(trial.result)}
        return {**kept, "reply_to": reply_to} if reply_to else kept

    def _of_samples(self, sample: RuleSamples, profile: ChannelProfile) -> list[str]:
        rule = sample.rule
        found = []
        if not sample.matches:
            found.append(f"Rule {rule.name!r} needs at least one text that it must match.")
        for text in sample.matches:
            if rule.pattern.search(fold(text)) is None:
                found.append(f'Rule {rule.name!r} does not match "{_excerpt(text)}".')
            elif rule.action is RuleAction.OPEN and not self._opens(sample, text, profile):
                found.append(
                    f'Rule {rule.name!r} matches "{_excerpt(text)}", but no complete signal comes '
                    "of it: is a side, a symbol or a level missing?"
                )
        found += [
            f'Rule {rule.name!r} matches "{_excerpt(text)}", which it must leave alone.'
            for text in sample.misses
            if rule.pattern.search(fold(text)) is not None
        ]
        return found

    def _opens(self, sample: RuleSamples, text: str, profile: ChannelProfile) -> bool:
        alone = replace(_anywhere(profile), rules=(sample.rule,))
        try:
            result = self._parser.parse(_message(text, TRIED), profile=alone)
        except DomainError:
            return False
        return isinstance(result, Parsed) and any(isinstance(r, Signal) for r in result.readings)

    def _is_kept(self, example: KeptExample, given: ProfileDocument) -> bool:
        trial = self.try_text(example.text, given.profile, example.reply_to)
        return to_labels(trial.result) == [dict(label) for label in example.labels]


def _anywhere(profile: ChannelProfile) -> ChannelProfile:
    """Return the profile for texts that stand in no topic of a group."""
    return replace(profile, signal_topics=frozenset())


def _named(profile: ChannelProfile) -> set[str]:
    names = {*profile.pip_size, *(rule.symbol for rule in profile.rules), profile.default_symbol}
    return {name for name in names if name is not None}


def _filled(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing, so that a stored profile can be read by people."""
    return {key: value for key, value in doc.items() if value not in (None, "", [], {})}


def _sentence(refusal: Refusal) -> str:
    return SENTENCES[refusal.objection].format(about=_excerpt(refusal.about))


def _more(count: int) -> list[str]:
    return [f"And {count - SHOWN} more of this kind."] if count > SHOWN else []


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 3] + "..."


def _message(text: str, number: MessageId) -> ChannelMessage:
    return ChannelMessage(channel=ChannelId(-1), message=number, text=text, posted_at=LABEL_TIME)
