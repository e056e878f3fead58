"""Whether a channel's rules and words may be saved: what they would do to known messages."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.signals.labels import to_labels
from signalfleet.domain.signals.model import (
    Ambiguous,
    ChannelMessage,
    Context,
    Parsed,
    ParseResult,
    Signal,
)
from signalfleet.domain.signals.parse import EMPTY, Parser
from signalfleet.domain.signals.profiles import ChannelProfile
from signalfleet.domain.signals.rules import GROUPS, TARGETS, Rule, RuleAction

MAX_RULES: Final = 50


class Objection(StrEnum):
    """Why a profile is not saved."""

    TOO_MANY_RULES = "too_many_rules"
    UNKNOWN_GROUP = "unknown_group"
    MISSING_GROUP = "missing_group"
    WRONG_WORDS = "wrong_words"
    OPENS_ON_CHATTER = "opens_on_chatter"
    CHANGES_EXAMPLE = "changes_example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A message of the channel whose reading the user has confirmed."""

    message: ChannelMessage
    reading: ParseResult
    context: Context = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An objection and what it is about: a rule, a group, or the message that shows it."""

    objection: Objection
    about: str


def refusals(
    profile: ChannelProfile,
    *,
    parser: Parser,
    inert: Iterable[ChannelMessage],
    examples: Iterable[Example] = (),
) -> tuple[Refusal, ...]:
    """Return why a profile may not be saved; nothing if it may."""
    if len(profile.rules) > MAX_RULES:
        about = f"{len(profile.rules)} rules; {MAX_RULES} are the most"
        return (Refusal(objection=Objection.TOO_MANY_RULES, about=about),)
    found = [refusal for rule in profile.rules for refusal in _of_groups(rule)]
    try:
        parser.facts("", profile)
    except DomainError as error:
        found.append(Refusal(objection=Objection.WRONG_WORDS, about=str(error)))
    if found:
        return tuple(found)
    found += [
        Refusal(objection=Objection.OPENS_ON_CHATTER, about=message.text)
        for message in inert
        if _opens(parser.parse(message, profile=profile))
    ]
    found += [
        Refusal(objection=Objection.CHANGES_EXAMPLE, about=example.message.text)
        for example in examples
        if to_labels(parser.parse(example.message, example.context, profile))
        != to_labels(example.reading)
    ]
    return tuple(found)


def _opens(result: ParseResult) -> bool:
    """Tell whether a trade could come of it, be it by a person's tap."""
    if isinstance(result, Parsed):
        return any(isinstance(reading, Signal) for reading in result.readings)
    return isinstance(result, Ambiguous) and any(
        isinstance(reading, Signal) for reading in result.candidates
    )


def _of_groups(rule: Rule) -> list[Refusal]:
    names = rule.pattern.names
    found = [
        Refusal(objection=Objection.UNKNOWN_GROUP, about=f"{rule.name}: {name}")
        for name in sorted(names - GROUPS)
    ]
    needed: dict[RuleAction, bool] = {
        RuleAction.OPEN: "side" in names or rule.side is not None,
        RuleAction.MOVE_STOP: "sl" in names,
        RuleAction.SET_TARGETS: bool(names & set(TARGETS)),
    }
    if not needed.get(rule.action, True):
        what = {RuleAction.OPEN: "side", RuleAction.MOVE_STOP: "sl"}.get(rule.action, "tp")
        found.append(Refusal(objection=Objection.MISSING_GROUP, about=f"{rule.name}: {what}"))
    return found
