"""Which value is in force, where it came from, and which documents are refused."""

from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.catalogue import CATALOGUE, DEFAULTS, Rules
from signalfleet.domain.settings.resolve import PRODUCT, Level, problems_of, resolve
from signalfleet.domain.settings.values import Merge

LOWEST = [name for name, spec in CATALOGUE.items() if spec.merge is Merge.LOWEST]
HIGHEST = [name for name, spec in CATALOGUE.items() if spec.merge is Merge.HIGHEST]
NUMBERS = [name for name in (*LOWEST, *HIGHEST) if isinstance(getattr(DEFAULTS, name), Decimal)]


def level(source: str, **doc: object) -> Level:
    return Level(source=source, doc=doc)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("risk_percent", "a lot", "not a number"),
        ("risk_percent", "0", "from 0.01 to 10"),
        ("risk_percent", "10.01", "from 0.01 to 10"),
        ("risk_percent", "NaN", "from 0.01 to 10"),
        ("risk_percent", "Infinity", "from 0.01 to 10"),
        ("risk_percent", 1.5, "written as text"),
        ("risk_percent", True, "written as text"),
        ("risk_percent", None, "written as text"),
        ("risk_percent", ["1"], "written as text"),
        ("size_mode", "martingale", "one of risk_percent, risk_money, fixed_lots"),
        ("copy_pending", "yes", "true or false"),
        ("copy_pending", 1, "true or false"),
        ("symbols_blocked", "XAUUSD", "a list of symbols"),
        ("symbols_blocked", ["XAUUSD", 1], "a list of symbols"),
        ("max_signal_age", "301", "from 5 to 300"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_its_level_and_what_is_right(
    key: str, value: object, words: str
) -> None:
    with pytest.raises(DomainError, match=words) as refused:
        resolve([level("channel Gold", **{key: value})])
    assert str(refused.value).startswith(f"{key} of channel Gold: ")


def test_an_unknown_setting_is_refused_by_name() -> None:
    with pytest.raises(DomainError, match="unknown settings: risk_procent"):
        resolve([level("user", risk_procent="1")])


def test_every_setting_has_a_rule_and_a_default_that_its_own_parser_takes() -> None:
    assert set(CATALOGUE) == {field.name for field in fields(Rules)}
    for name, spec in CATALOGUE.items():
        default = getattr(DEFAULTS, name)
        assert spec.parse(spec.write(default)) == default
        assert spec.parse(spec.kind.of_text(spec.show(default))) == default


def test_without_any_level_the_product_decides() -> None:
    found = resolve([])
    assert found.rules == DEFAULTS
    assert set(found.sources.values()) == {PRODUCT}


def test_the_most_specific_level_overrides() -> None:
    found = resolve(
        [
            level("channel", risk_percent="0.5"),
            level("account", risk_percent="1.5", fixed_lots="0.2"),
            level("user", risk_percent="2", fixed_lots="0.1"),
        ]
    )
    assert (found.rules.risk_percent, found.source("risk_percent")) == (Decimal("0.5"), "channel")
    assert (found.rules.fixed_lots, found.source("fixed_lots")) == (Decimal("0.2"), "account")
    assert found.source("max_lots") == PRODUCT


def test_a_users_limit_may_be_wider_than_the_products() -> None:
    found = resolve([level("user", max_open_risk_percent="20")])
    assert found.rules.max_open_risk_percent == 20


def test_a_no_to_pending_orders_wins_wherever_it_is_said() -> None:
    yes, no = level("channel", copy_pending=True), level("user", copy_pending=False)
    for levels in ([yes, no], [no, yes]):
        found = resolve(levels)
        assert (found.rules.copy_pending, found.source("copy_pending")) == (False, no.source)


def test_blocked_symbols_are_joined_and_name_all_who_block() -> None:
    found = resolve(
        [level("channel", symbols_blocked=["xauusd"]), level("user", symbols_blocked=["EURUSD"])]
    )
    assert found.rules.symbols_blocked == {"XAUUSD", "EURUSD"}
    assert found.source("symbols_blocked") == "channel, user"


@given(
    st.sampled_from(NUMBERS),
    st.lists(st.integers(0, 1000), min_size=1, max_size=4),
)
def test_no_level_loosens_what_another_has_set(key: str, raw: list[int]) -> None:
    spec = CATALOGUE[key]
    values: list[str] = []
    for number in raw:
        text = str(Decimal(number) / 100)
        try:
            spec.parse(text)
        except DomainError:
            continue
        values.append(text)
    if not values:
        return
    levels = [level(f"level {at}", **{key: value}) for at, value in enumerate(values)]
    found = resolve(levels)
    numbers = [Decimal(value) for value in values]
    strictest = min(numbers) if spec.merge is Merge.LOWEST else max(numbers)
    assert getattr(found.rules, key) == strictest
    assert Decimal(values[int(found.source(key).split()[1])]) == strictest


@given(st.permutations([("a", "1"), ("b", "2"), ("c", "3")]))
def test_the_order_of_the_levels_does_not_matter_for_limits(
    order: list[tuple[str, str]],
) -> None:
    found = resolve([level(source, max_risk_percent=value) for source, value in order])
    assert (found.rules.max_risk_percent, found.source("max_risk_percent")) == (Decimal(1), "a")


@pytest.mark.parametrize(
    ("key", "text", "shown"),
    [
        ("custom_stop", "20 pips", "20 pips"),
        ("custom_stop", "300 Points", "300 points"),
        ("custom_stop", "0.5%", "0.5 %"),
        ("custom_stop", "none", "none"),
        ("custom_targets", "1 R, 1.5r, 40 pip", "1 R, 1.5 R, 40 pips"),
        ("target_weights", "50, 30, 20", "50, 30, 20"),
        ("target_weights", "equal", "equal"),
        ("targets_used", "3,1", "1, 3"),
        ("targets_used", "all", "all"),
        ("open_target", "3 R", "3 R"),
        ("few_lots", "one_at 2", "one_at 2"),
        ("layer_weights", "decreasing", "decreasing"),
        ("layer_weights", "60, 40", "60, 40"),
        ("risk_money", "100 eur", "100 EUR"),
        ("risk_money", "250.50", "250.50"),
        ("min_stop_distance", "5 pips", "5 pips"),
        ("max_deviation", "auto", "auto"),
        ("max_deviation", "30", "30"),
        ("reverse", "Yes", "yes"),
        ("symbols_blocked", "xauusd, EURUSD", "EURUSD, XAUUSD"),
    ],
)
def test_what_a_person_types_is_read_stored_and_shown_again(
    key: str, text: str, shown: str
) -> None:
    spec = CATALOGUE[key]
    value = spec.parse(spec.kind.of_text(text))
    assert spec.show(value) == shown
    assert spec.parse(spec.write(value)) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("custom_stop", "20"),
        ("custom_stop", "0 pips"),
        ("custom_stop", "-5 pips"),
        ("custom_stop", "1 R"),
        ("custom_stop", "20 parsecs"),
        ("custom_targets", "1 R, soon"),
        ("target_weights", "50, 30"),
        ("target_weights", "150, -50"),
        ("targets_used", "0"),
        ("targets_used", "first"),
        ("open_target", "3 pips"),
        ("few_lots", "one_at"),
        ("few_lots", "nearest_first 2"),
        ("layer_weights", "martingale"),
        ("risk_money", "100 euros"),
        ("risk_money", "-1"),
        ("layers", "11"),
        ("layers", "2.5"),
        ("max_deviation", "0"),
        ("reverse", "perhaps"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_typed(key: str, text: str) -> None:
    spec = CATALOGUE[key]
    with pytest.raises(DomainError):
        spec.parse(spec.kind.of_text(text))


def test_all_that_is_wrong_with_a_document_is_told_at_once() -> None:
    found = problems_of(
        {"risk_percent": "99", "risk_procent": "1", "risk_base": "equity", "profile": {}}, "channel"
    )
    assert found == [
        "risk_percent: must be from 0.01 to 10.",
        "risk_procent is no setting.",
        "risk_base cannot be set for channel: set it for account or user.",
    ]


def test_a_plan_bounds_what_the_levels_ask_for_and_says_what_it_cut() -> None:
    cap = level("your plan", max_open_trades="3")
    found = resolve([level("channel", max_open_trades="12")], cap)
    assert found.rules.max_open_trades == 3
    assert found.say_source("max_open_trades") == "your plan; not 12 from channel"
    assert resolve([level("channel", max_open_trades="2")], cap).rules.max_open_trades == 2
    default = resolve([], cap)
    assert default.rules.max_open_trades == 3
    assert default.say_source("max_open_trades") == "your plan; not 20 from product default"


def test_a_value_says_which_levels_it_won_over() -> None:
    found = resolve([level("channel", risk_percent="0.5"), level("your default", risk_percent="2")])
    assert found.say_source("risk_percent") == "channel; not 2 from your default"


def test_any_number_is_a_stricter_deviation_than_auto() -> None:
    levels = [level("channel", max_deviation="auto"), level("user", max_deviation="30")]
    assert resolve(levels).rules.max_deviation == 30


def test_equal_settings_have_equal_snapshots_and_a_change_has_another() -> None:
    one = resolve([level("channel", risk_percent="2")]).snapshot
    assert one == resolve([level("user", risk_percent="2")]).snapshot
    assert one != resolve([]).snapshot
