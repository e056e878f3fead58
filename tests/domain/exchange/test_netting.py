from decimal import Decimal

import pytest

from kit.exchange import Floor, levels
from signalfleet.domain.exchange.model import AccountTerms, Entry, MarginMode
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price


@pytest.fixture
def floor() -> Floor:
    floor = Floor(terms=AccountTerms(mode=MarginMode.NETTING))
    floor.quote("1.10000", "1.10000")
    return floor


def test_the_same_side_grows_one_position_at_the_average_price(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY, "0.10", **levels("1.09000"))
    floor.quote("1.10200", "1.10200")
    assert floor.opened(Side.BUY, "0.10") == ticket
    held = floor.book.positions[ticket]
    assert (held.lots, held.open_price) == (Lots.of("0.20"), Price.of("1.10100"))
    assert held.stop_loss == Price.of("1.09000")


def test_the_other_side_takes_away_and_books_the_profit(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY, "0.10")
    floor.quote("1.10200", "1.10200")
    floor.opened(Side.SELL, "0.04")
    assert floor.book.positions[ticket].lots == Lots.of("0.06")
    assert floor.book.balance == Decimal("10008.00")


def test_an_equal_order_of_the_other_side_closes(floor: Floor) -> None:
    floor.opened(Side.BUY, "0.10")
    floor.opened(Side.SELL, "0.10")
    assert not floor.book.positions
    assert floor.book.deals[-1].entry is Entry.OUT


def test_a_larger_order_of_the_other_side_turns_the_position(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY, "0.10", **levels("1.09000"))
    floor.quote("1.10200", "1.10200")
    floor.opened(Side.SELL, "0.30", **levels("1.11000"))
    held = floor.book.positions[ticket]
    assert (held.side, held.lots) == (Side.SELL, Lots.of("0.20"))
    assert floor.book.deals[-1].entry is Entry.INOUT
    assert floor.book.balance == Decimal("10020.00")
    assert floor.quote("1.09000", "1.09000") == 0
    assert floor.quote("1.11000", "1.11000") == 1
