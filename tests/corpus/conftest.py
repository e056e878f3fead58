"""Shows the corpus figures at the end of each run, passed or not."""

import pytest

from kit.signal_corpus import Score, corpus_folder
from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.signals.parse import Parser

FIGURES = pytest.StashKey[dict[str, list[str]]]()


@pytest.fixture(scope="session")
def parser() -> Parser:
    return load_parser()


@pytest.fixture
def show(request: pytest.FixtureRequest) -> "Figures":
    return Figures(request.config.stash.setdefault(FIGURES, {}))


class Figures:
    """Keeps lines for the end of the run."""

    def __init__(self, kept: dict[str, list[str]]) -> None:
        self._kept = kept

    def score(self, title: str, score: Score) -> None:
        self._kept[title] = score.lines(title)

    def line(self, title: str, text: str) -> None:
        self._kept[title] = [text]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    kept = terminalreporter.config.stash.get(FIGURES, {})
    terminalreporter.section("signal corpus")
    if not kept:
        terminalreporter.line(f"not scored in this run; corpus folder {corpus_folder()}")
    for lines in kept.values():
        for line in lines:
            terminalreporter.line(line)
