"""The law that the fuzzer holds against every text, and the texts that once broke it."""

from decimal import Decimal

import pytest

from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import Signal
from tools.fuzz import target

FOUND = [
    b"Buy gold now SL 30,5 pips TP 60 pips",
    b"Trailing stop 77,836.637, TP2 78,400.25146895 gold",
    b"Buy Gold 0.05 l\nTp 2541",
    b"BTCUSD Buy (71\xd9220.35-70\nTP1: 71450.20",
    b"BUY BTC TP1 77,836.637, TP2 78,00.225",
    b"SL to be + 10,20,30 pips\x1eXAUUSD BUY 2345 SL 2338 TP 2360",
    b"XAUUSD BUY 2345 SL 2340 TP 2360\x1fXAUUSD BUY 2345 SL 2338 TP 2360",
    b"\xff\xfe\x1e\x1f",
]


@pytest.mark.parametrize("data", FOUND)
def test_what_a_fuzz_run_found_is_read_by_the_law(data: bytes) -> None:
    target.check(load_parser(), data)


def test_a_price_counts_as_written_with_any_separators_or_as_shorthand() -> None:
    texts = ["TP 2,350.5 / 60 and 65 200, 3k, 2350"]
    written = target.values(texts)
    assert {Decimal("2350.5"), Decimal(60), Decimal(65200), Decimal(3000)} <= written
    assert target._is_shorthand(Decimal(2360), texts, written)
    assert not target._is_shorthand(Decimal(2399), texts, written)


def test_an_invented_price_is_a_finding() -> None:
    signal = Signal(side=Side.BUY, symbol="XAUUSD", stop=Price.of(2299))
    with pytest.raises(target.Finding, match="2299 stands nowhere"):
        target._check_readings((signal,), "BUY GOLD 2350 SL 40", ["BUY GOLD 2350 SL 40"])


def test_the_dictionary_knows_words_of_many_languages() -> None:
    words = set(target.dictionary())
    assert {b"buy", "покупка".encode(), "شراء".encode(), b"XAUUSD"} <= words


def test_a_seed_is_read_back_as_the_message_and_its_context() -> None:
    data = target.seed("SL 2340", "XAUUSD BUY 2345 SL 2338", None)
    assert data.partition(target.REPLY)[2] == b"XAUUSD BUY 2345 SL 2338"
