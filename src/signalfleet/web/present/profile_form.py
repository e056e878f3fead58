"""A channel's profile as form fields and back; what a field cannot say is kept as it was stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from signalfleet.domain.signals.rules import RuleAction

MAX_RULES: Final = 50
BETWEEN: Final = "---"
ACTIONS: Final[Mapping[str, str]] = {
    RuleAction.OPEN.value: "opens a trade",
    RuleAction.BREAK_EVEN.value: "moves the stop to break-even",
    RuleAction.MOVE_STOP.value: "moves the stop",
    RuleAction.SET_TARGETS.value: "sets the targets",
    RuleAction.CLOSE.value: "closes",
    RuleAction.CLOSE_PART.value: "closes a part",
    RuleAction.CANCEL.value: "cancels what is pending",
    RuleAction.IGNORE.value: "leaves the message alone",
}
STYLES: Final[Mapping[str, str]] = {"": "not known", "dot": "a dot: 1.25", "comma": "a comma: 1,25"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFields:
    name: str = ""
    pattern: str = ""
    action: str = RuleAction.OPEN.value
    side: str = ""
    symbol: str = ""
    matches: str = ""
    misses: str = ""

    @property
    def is_blank(self) -> bool:
        return not (self.name.strip() or self.pattern.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFields:
    """What stands in the form. `examples` are the numbers of the stored ones that stay."""

    default_symbol: str = ""
    no_price_means_market: bool = True
    keywords: str = ""
    ignore_words: str = ""
    pip_size: str = ""
    number_style: str = ""
    rules: tuple[RuleFields, ...] = ()
    examples: frozenset[int] = field(default_factory=frozenset)


def fields_of(doc: Mapping[str, Any]) -> ProfileFields:
    """Put a stored profile into the form."""
    return ProfileFields(
        default_symbol=str(doc.get("default_symbol") or ""),
        no_price_means_market=doc.get("no_price_means_market", True) is not False,
        keywords=_lines(
            f"{role}: {', '.join(phrases)}" for role, phrases in (doc.get("keywords") or {}).items()
        ),
        ignore_words=_lines(doc.get("ignore_words") or ()),
        pip_size=_lines(f"{name} {size}" for name, size in (doc.get("pip_size") or {}).items()),
        number_style=str(doc.get("number_style") or ""),
        rules=tuple(
            RuleFields(
                name=str(rule.get("name", "")),
                pattern=str(rule.get("pattern", "")),
                action=str(rule.get("action", RuleAction.OPEN.value)),
                side=str(rule.get("side") or ""),
                symbol=str(rule.get("symbol") or ""),
                matches=_texts(rule.get("matches") or ()),
                misses=_texts(rule.get("misses") or ()),
            )
            for rule in doc.get("rules") or ()
        ),
        examples=frozenset(range(len(doc.get("examples") or ()))),
    )


def fields_sent(form: Mapping[str, str]) -> ProfileFields:
    """Take the form as it was sent."""
    count = min(int(form.get("rules", "0") or 0) if form.get("rules", "").isdecimal() else 0, 51)
    rules = (
        RuleFields(
            name=form.get(f"rule-{at}-name", ""),
            pattern=form.get(f"rule-{at}-pattern", ""),
            action=form.get(f"rule-{at}-action", RuleAction.OPEN.value),
            side=form.get(f"rule-{at}-side", ""),
            symbol=form.get(f"rule-{at}-symbol", ""),
            matches=_plain(form.get(f"rule-{at}-matches", "")),
            misses=_plain(form.get(f"rule-{at}-misses", "")),
        )
        for at in range(count)
    )
    kept = (name.removeprefix("example-") for name in form if name.startswith("example-"))
    return ProfileFields(
        default_symbol=form.get("default_symbol", ""),
        no_price_means_market=form.get("no_price") == "market",
        keywords=_plain(form.get("keywords", "")),
        ignore_words=_plain(form.get("ignore_words", "")),
        pip_size=_plain(form.get("pip_size", "")),
        number_style=form.get("number_style", ""),
        rules=tuple(rule for rule in rules if not rule.is_blank),
        examples=frozenset(int(number) for number in kept if number.isdecimal()),
    )


def document_of(sent: ProfileFields, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Make the document of a form; values stay texts, and the checks say what is wrong."""
    keywords: dict[str, list[str]] = {}
    for line in _rows(sent.keywords):
        role, _, phrases = line.partition(":")
        found = [phrase.strip() for phrase in phrases.split(",") if phrase.strip()]
        keywords.setdefault(_role(role), []).extend(found)
    sizes = (line.replace(":", " ").replace("=", " ").split() for line in _rows(sent.pip_size))
    examples = [one for at, one in enumerate(stored.get("examples") or ()) if at in sent.examples]
    changed = {
        "default_symbol": sent.default_symbol.strip().upper(),
        "no_price_means_market": sent.no_price_means_market,
        "keywords": keywords,
        "ignore_words": _rows(sent.ignore_words),
        "pip_size": {parts[0].upper(): "".join(parts[1:]) for parts in sizes if parts},
        "number_style": sent.number_style,
        "rules": [_rule(rule) for rule in sent.rules],
        "examples": examples,
    }
    empty: tuple[object, ...] = ("", {}, [])
    return {**stored, **{key: None if value in empty else value for key, value in changed.items()}}


def _rule(rule: RuleFields) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": rule.name.strip(),
        "pattern": rule.pattern.strip(),
        "action": rule.action,
        "side": rule.side,
        "symbol": rule.symbol.strip().upper(),
        "matches": _split(rule.matches),
        "misses": _split(rule.misses),
    }
    return {key: value for key, value in made.items() if value}


def _role(written: str) -> str:
    """Take a symbol in capitals and a role of words in small letters, as the files have them."""
    name = written.strip()
    return name if name.isupper() else name.lower().replace(" ", "_").replace("-", "_")


def _lines(rows: Any) -> str:  # noqa: ANN401 - rows of a stored document
    return "\n".join(str(row) for row in rows)


def _texts(texts: Sequence[Any]) -> str:
    return f"\n{BETWEEN}\n".join(str(text) for text in texts)


def _split(written: str) -> list[str]:
    texts: list[list[str]] = [[]]
    for line in written.split("\n"):
        if line.strip() == BETWEEN:
            texts.append([])
        else:
            texts[-1].append(line)
    return [text for text in ("\n".join(lines).strip() for lines in texts) if text]


def _rows(written: str) -> list[str]:
    return [line.strip() for line in written.split("\n") if line.strip()]


def _plain(written: str) -> str:
    return written.replace("\r\n", "\n")
