import pytest

from signalfleet.domain.instruments.broker_names import affixes, broker_name, nearest_names

PLAIN = frozenset({"EURUSD", "GBPUSD", "XAUUSD", "US30", "USTEC", "GER40"})
DOTTED = frozenset({"EURUSD.m", "GBPUSD.m", "USDJPY.m", "XAUUSD.m", "XAUUSD", "US30.m"})
MICRO = frozenset({"EURUSDmicro", "GBPUSDmicro", "GOLDmicro", "US100micro"})
PREFIXED = frozenset({"FX_EURUSD", "FX_GBPUSD", "FX_XAUUSD"})


def test_an_account_without_endings_uses_the_plain_names() -> None:
    assert broker_name("XAUUSD", PLAIN) == "XAUUSD"
    assert broker_name("NAS100", PLAIN) == "USTEC"


def test_the_ending_of_the_currency_pairs_decides_among_several_names() -> None:
    assert broker_name("XAUUSD", DOTTED) == "XAUUSD.m"
    assert affixes(DOTTED)[0] == ("", ".m")


def test_another_name_with_the_ending_is_found() -> None:
    assert broker_name("XAUUSD", MICRO) == "GOLDmicro"
    assert broker_name("NAS100", MICRO) == "US100micro"


def test_a_prefix_is_found_like_an_ending() -> None:
    assert broker_name("XAUUSD", PREFIXED) == "FX_XAUUSD"


def test_the_users_own_choice_wins_while_the_broker_lists_it() -> None:
    assert broker_name("XAUUSD", DOTTED, {"XAUUSD": "XAUUSD"}) == "XAUUSD"
    assert broker_name("XAUUSD", DOTTED, {"XAUUSD": "GONE"}) == "XAUUSD.m"


@pytest.mark.parametrize("symbol", ["", "NATGAS", "US2000"])
def test_a_symbol_that_the_broker_does_not_list_has_no_name(symbol: str) -> None:
    assert broker_name(symbol, PLAIN) is None


def test_two_names_that_differ_only_in_an_unknown_ending_are_not_guessed_between() -> None:
    assert broker_name("XAUUSD", frozenset({"XAUUSDa", "XAUUSDb"})) is None
    assert broker_name("XAUUSD", frozenset({"XAUUSDa", "EURUSD"})) == "XAUUSDa"


def test_a_longer_name_is_another_instrument() -> None:
    assert broker_name("US500", frozenset({"US5000"})) is None
    assert broker_name("XAUUSD", frozenset({"GOLDMAN"})) is None


def test_the_nearest_names_are_offered() -> None:
    assert "USTEC" in nearest_names("NAS100", frozenset({"USTECH", "USTEC", "EURUSD"}))
