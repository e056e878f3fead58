"""What must hold for every phrase of every language file, written with the file's own words."""

import tomllib
from importlib import resources
from typing import Any

import pytest

from signalfleet.domain.signals.labels import parse_line
from signalfleet.domain.signals.parse import Parser

FOLDER = resources.files("signalfleet").joinpath("data", "lexicon")
FILES = {
    entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text(encoding="utf-8"))
    for entry in sorted(FOLDER.iterdir(), key=lambda entry: entry.name)
    if entry.name.endswith(".toml")
}
WITHOUT_SPACES = {"zh", "ja", "th"}
VETOES = (
    "negation",
    "question",
    "past",
    "future",
    "conditional",
    "optional",
    "confirmation",
    "example",
    "recap",
    "wish",
    "hearsay",
)
# Folded, these are another word of their own language ("compre" is buy!), or only a question mark.
ALIKE = {"qué", "compré", "qui", "où", "acheté", "か?", "呢?"}


class Words:
    """The first usable phrase for each part of a signal in one language."""

    def __init__(self, file: dict[str, Any]) -> None:
        self.weak = set(file.get("weak", {}).get("words", ()))
        self.roles = file["roles"]
        gold = file.get("symbols", {}).get("XAUUSD", ())
        self.gold = next((word for word in gold if word not in self.weak), "XAUUSD")

    def first(self, role: str) -> str:
        return str(next(word for word in self.roles[role] if word not in self.weak))


def labels_of(parser: Parser, text: str) -> list[dict[str, Any]]:
    found = parse_line(parser, {"id": "", "text": text, "context": None})["predict"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("language", FILES)
def test_every_side_phrase_opens_with_the_labels_of_its_language(
    parser: Parser, language: str
) -> None:
    words = Words(FILES[language])
    wrong = []
    for side, stop, target in (("buy", 2338.0, 2352.0), ("sell", 2352.0, 2338.0)):
        for phrase in words.roles[side]:
            text = (
                f"{words.gold} {phrase} 2345\n{words.first('stop')} {stop:.0f}\n"
                f"{words.first('target')} {target:.0f}"
            )
            label = labels_of(parser, text)[0]
            got = label["kind"], label.get("side"), label.get("sl"), label.get("tps")
            if got != ("open", side, stop, [target]) or label["symbol"] != "XAUUSD":
                wrong.append((phrase, label))
    assert wrong == []


@pytest.mark.parametrize("mood", VETOES)
@pytest.mark.parametrize("language", FILES)
def test_no_phrase_that_takes_an_instruction_back_leaves_an_open(
    parser: Parser, language: str, mood: str
) -> None:
    words = Words(FILES[language])
    space = "" if language in WITHOUT_SPACES else " "
    opened = []
    for phrase in FILES[language]["moods"].get(mood, ()):
        if phrase in ALIKE:
            continue
        naked = space.join((phrase, words.first("buy"), words.gold))
        full = f"{naked} 2345 {words.first('stop')} 2338 {words.first('target')} 2352"
        opened += [
            text
            for text in (naked, full)
            if any(label["kind"] == "open" for label in labels_of(parser, text))
        ]
    assert opened == []
