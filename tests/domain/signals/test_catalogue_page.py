"""The page about the failure catalogue names tests; they must be there."""

import re
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
PAGE = REPO / "docs" / "signals.md"
FOLDERS = (REPO / "tests" / "domain" / "signals", REPO / "tests" / "corpus")
CATALOGUE_LINES = 16


def test_every_line_of_the_catalogue_and_every_law_names_a_test_that_exists() -> None:
    named = re.findall(r"\| `(test_\w+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    written = {
        name
        for folder in FOLDERS
        for file in folder.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) >= CATALOGUE_LINES
    assert set(named) <= written


def test_every_test_of_the_catalogue_about_what_others_misread_is_on_the_page() -> None:
    file = FOLDERS[0] / "test_failure_catalogue.py"
    tests = set(re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE))
    page = PAGE.read_text(encoding="utf-8")
    missing = {name for name in tests if name not in page}
    assert missing == {
        "test_words_that_lie_open_nothing",
        "test_two_sides_for_one_set_of_levels_are_held",
        "test_a_complete_order_behind_a_condition_is_held",
        "test_instructions_to_software_are_words_like_any_other",
    }
