"""The page that lists the scenarios; run as a program it writes the tables of it again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kit.scenario_script import Scenario, load_scenarios

PAGE: Final = Path(__file__).parents[2] / "docs" / "scenarios.md"
TITLES: Final = {
    "doubt": "Brokers and connections that misbehave",
    "entries": "Entries",
    "follow_ups": "Follow-ups, edits and deletions",
    "guards": "Guards, states and questions",
    "management": "Management without a message",
    "netting": "Netting accounts",
    "accounts": "Several accounts",
    "probation": "Probation",
    "exits": "Exits",
    "sizing": "Size and settings",
}
MARK: Final = "<!-- The tables below are written by tests/kit/scenario_page.py. -->\n"


def rendered() -> str:
    """Return the page as it should be."""
    words, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise ValueError(f"{PAGE.name} has lost the line after which its tables stand")
    return words + mark + "".join(_tables(load_scenarios()))


def _tables(scenarios: tuple[Scenario, ...]) -> Iterator[str]:
    for kind, title in TITLES.items():
        chosen = [one for one in scenarios if one.kind == kind]
        yield f"\n## {title} ({len(chosen)})\n\n| Scenario | What it shows |\n|---|---|\n"
        for one in chosen:
            yield f"| `{one.name}` | {one.shows} |\n"


if __name__ == "__main__":
    PAGE.write_text(rendered(), encoding="utf-8")
