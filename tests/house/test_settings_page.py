"""The page of settings is what the catalogue says, and nothing is on it without its words."""

from signalfleet.domain.settings.catalogue import CATALOGUE
from tools.settings_page import PAGE, page


def test_the_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tools.settings_page"


def test_every_setting_says_what_it_does_in_a_sentence() -> None:
    for name, spec in CATALOGUE.items():
        assert spec.text[0].isupper(), name
        assert spec.text.endswith("."), name
        assert spec.scopes, name
