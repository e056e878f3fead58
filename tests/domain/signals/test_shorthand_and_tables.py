"""What short numbers, tables, covered levels and quoted ideas mean."""

from collections.abc import Callable

import pytest

from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import (
    Ambiguous,
    BreakEven,
    Close,
    Doubt,
    FollowUp,
    NotASignal,
    Parsed,
    ParseResult,
    PriceRange,
    Reason,
    Signal,
)

Read = Callable[..., ParseResult]


def signals_of(result: ParseResult) -> list[Signal]:
    assert isinstance(result, Parsed), result
    return [reading for reading in result.readings if isinstance(reading, Signal)]


def told(result: ParseResult) -> list[tuple[str | None, type]]:
    assert isinstance(result, Parsed), result
    return [
        (reading.target.symbol, type(reading.action))
        for reading in result.readings
        if isinstance(reading, FollowUp)
    ]


@pytest.mark.parametrize(
    ("text", "stop"),
    [
        ("GOLD SELL 2350.50\nSL 56\nTP 2340", "2356"),
        ("NAS100 BUY 18250.5\nSL 200\nTP 18300", "18200"),
        ("GBPJPY BUY 190.35\nSL 10\nTP 190.80", "190.10"),
        ("EURUSD SELL 1.0850\nSL 90\nTP 1.0800", "1.0890"),
    ],
)
def test_shorthand_replaces_the_digits_that_people_leave_out(
    read: Read, text: str, stop: str
) -> None:
    (signal,) = signals_of(read(text))
    assert signal.stop == Price.of(stop)


def test_a_short_stop_that_may_also_be_thousands_is_held(read: Read) -> None:
    result = read("BTCUSD BUY 71,220.35 SL 70 TP 72,000")
    assert isinstance(result, Ambiguous)
    assert result.reasons == (Doubt.NUMBER_TWO_READINGS,)


def test_a_stop_of_one_digit_under_a_big_price_is_held(read: Read) -> None:
    assert isinstance(read("GOLD BUY 2345\nSL 5\nTP 2360"), Ambiguous)


def test_a_short_stop_that_may_also_be_thousands_moves_nothing(read: Read) -> None:
    parent = "BTCUSD BUY 71,220\nSL 70,900\nTP 72,000"
    assert isinstance(read("SL 70", reply_to=parent), NotASignal)


def test_words_and_a_number_under_a_list_of_targets_add_none(read: Read) -> None:
    (signal,) = signals_of(read("GOLD BUY 2345 SL 2338 TP 2352 2360\nedit 74"))
    assert signal.targets == (Price.of("2352"), Price.of("2360"))


@pytest.mark.parametrize("zone", ["2350.50/52", "2350.50-52", "2350.50 - 2352"])
def test_a_price_and_its_shorthand_are_no_date(read: Read, zone: str) -> None:
    (signal,) = signals_of(read(f"GOLD SELL {zone}\nSL 2357\nTP 2344"))
    assert signal.entry == PriceRange(low=Price.of("2350.50"), high=Price.of("2352"))


def test_counted_targets_of_one_line_are_no_prices(read: Read) -> None:
    (signal,) = signals_of(read("Long ETHUSDT 3150 stop 3050 targets 1) 3200 2) 3260 3) 3340"))
    assert [str(one.value) for one in signal.targets if one] == ["3200", "3260", "3340"]


@pytest.mark.parametrize(
    "heading",
    ["Pair | Side | Entry | SL | TP1 | TP2", "PAIR  SIDE  PRICE  STOP LOSS  TP  TP"],
)
def test_each_row_of_a_table_is_a_signal(read: Read, heading: str) -> None:
    rows = (
        "EURJPY | BUY | 164.20 | 163.60 | 165 | 166",
        "AUDUSD | SELL | 0.665 | 0.668 | 0.66 | 0.656",
    )
    first, second = signals_of(read("\n".join((heading, *rows))))
    assert (first.symbol, second.symbol) == ("EURJPY", "AUDUSD")
    assert (first.stop, second.stop) == (Price.of("163.60"), Price.of("0.668"))
    assert second.targets == (Price.of("0.66"), Price.of("0.656"))


def test_a_row_with_a_number_too_few_is_no_signal(read: Read) -> None:
    result = read("Pair | Side | Entry | SL | TP\nEURJPY | BUY | 164.20 | 163.60")
    assert not isinstance(result, Parsed)


@pytest.mark.parametrize("cover", ["****", "🔒", "████", "____", "xxxx", "VIP only", "(premium)"])
def test_covered_levels_open_nothing(read: Read, cover: str) -> None:
    result = read(f"GOLD BUY NOW\nSL: {cover}\nTP: {cover}")
    readings = result.readings if isinstance(result, Parsed) else ()
    assert not any(isinstance(reading, Signal) for reading in readings)


def test_a_covered_last_target_leaves_the_signal(read: Read) -> None:
    (signal,) = signals_of(read("GOLD BUY 2345\nSL 2338\nTP1 2352\nTP2 🔒"))
    assert signal.targets == (Price.of("2352"),)


def test_an_idea_in_quotation_marks_is_somebody_elses(read: Read) -> None:
    result = read('A stranger is sending "BUY GOLD 2345 SL 2335 TP 2365" around')
    assert isinstance(result, NotASignal)
    assert Reason.MEMBER_CHAT in result.reasons


def test_quotation_marks_round_the_words_of_a_signal_change_nothing(read: Read) -> None:
    (signal,) = signals_of(read('{"side":"buy","symbol":"XAUUSD","sl":2335,"tp":2365}'))
    assert signal.stop == Price.of("2335")


def test_each_symbol_of_a_clause_has_its_own_instruction(read: Read) -> None:
    result = read("Gold SL to BE, EURUSD close now")
    assert told(result) == [("XAUUSD", BreakEven), ("EURUSD", Close)]


@pytest.mark.parametrize("text", ["Close EURUSD, keep GBPUSD running", "Keep GBPUSD, close EURUSD"])
def test_what_shall_stay_is_not_closed(read: Read, text: str) -> None:
    assert told(read(text)) == [("EURUSD", Close)]


def test_a_condition_about_one_symbol_binds_the_order_about_another(read: Read) -> None:
    assert not isinstance(read("If GBPUSD hits TP, close EURUSD"), Parsed)


@pytest.mark.parametrize(
    "text", ["USDCAD\nOut: 1.3660\nRisk: 1.3760", "Entry 2341 / exit 2355 / +140 pips"]
)
def test_a_price_of_leaving_is_no_order_to_leave(read: Read, text: str) -> None:
    assert not isinstance(read(text), Parsed)


def test_levels_of_an_opening_that_is_not_understood_move_no_other_trade(read: Read) -> None:
    assert not isinstance(read("SELLGOLD@2368SL2375TP2358"), Parsed)
