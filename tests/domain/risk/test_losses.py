"""Books of losses: when days begin, what a limit counts from, and what stays after a restart."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import rules
from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.balances import PATIENCE
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.risk.losses import LossBook, Period, day_start, week_start
from signalfleet.domain.settings.choices import DrawdownFrom
from signalfleet.domain.settings.resolve import Level, resolve

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
MIDNIGHT = time(0, 0)
MOMENTS = st.datetimes(datetime(2020, 1, 3), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from([UTC, BERLIN, NEW_YORK, ZoneInfo("Asia/Kolkata"), ZoneInfo("Asia/Tokyo")])
TIMES = st.times().map(lambda one: one.replace(second=0, microsecond=0))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "reset", "expected"),
    [
        ("2026-03-29T12:00", BERLIN, MIDNIGHT, "2026-03-28T23:00"),
        ("2026-03-30T12:00", BERLIN, MIDNIGHT, "2026-03-29T22:00"),
        ("2026-03-29T12:00", BERLIN, time(2, 30), "2026-03-29T01:30"),
        ("2026-10-25T12:00", BERLIN, time(2, 30), "2026-10-25T00:30"),
        ("2026-10-25T00:15", BERLIN, time(2, 30), "2026-10-24T00:30"),
        ("2026-11-01T12:00", NEW_YORK, time(17, 0), "2026-10-31T21:00"),
        ("2026-11-01T22:30", NEW_YORK, time(17, 0), "2026-11-01T22:00"),
    ],
    ids=[
        "spring day",
        "day after spring",
        "time left out",
        "time that comes twice",
        "before it",
        "new york before",
        "new york after",
    ],
)
def test_a_day_begins_at_the_reset_time_also_where_clocks_change(
    now: str, zone: ZoneInfo, reset: time, expected: str
) -> None:
    assert day_start(at(now), zone, reset) == at(expected)


@given(now=MOMENTS, zone=ZONES, reset=TIMES)
def test_a_day_has_begun_and_is_not_over(now: datetime, zone: ZoneInfo, reset: time) -> None:
    start = day_start(now, zone, reset)
    assert start <= now
    assert now - start <= timedelta(hours=26)
    assert day_start(start, zone, reset) == start
    week = week_start(now, zone, reset)
    assert week <= start
    assert now - week <= timedelta(days=7, hours=2)


def test_an_anchor_is_kept_within_its_day_and_over_a_restart() -> None:
    monday = at("2026-03-02T10:00")
    book = LossBook().rolled(monday, UTC, MIDNIGHT, Decimal(1000), Decimal(1100))
    later = book.rolled(at("2026-03-02T23:59"), UTC, MIDNIGHT, Decimal(500), Decimal(400))
    assert later == book
    assert LossBook.of_document(book.document()) == book
    tuesday = book.rolled(at("2026-03-03T00:00"), UTC, MIDNIGHT, Decimal(500), Decimal(400))
    assert tuesday.anchors[Period.DAY].balance == 500
    assert tuesday.anchors[Period.WEEK].balance == 1000
    assert tuesday.anchors[Period.TOTAL].balance == 1000


@pytest.mark.parametrize(
    ("anchor", "floor"),
    [("balance", "950"), ("equity", "1045"), ("higher_of_both", "1045")],
    ids=["balance", "equity", "higher"],
)
def test_what_a_limit_counts_from_is_chosen(anchor: str, floor: str) -> None:
    book = LossBook().rolled(at("2026-03-02T10:00"), UTC, MIDNIGHT, Decimal(1000), Decimal(1100))
    (line,) = book.lines(rules(daily_loss="5", loss_anchor=anchor))
    assert line.floor == Decimal(floor)


def test_four_fifths_warn_once_and_the_limit_stays_reached_until_its_period_is_over() -> None:
    limits = rules(daily_loss="10", weekly_loss="50")
    now = at("2026-03-02T10:00")
    book = LossBook().rolled(now, UTC, MIDNIGHT, Decimal(1000), Decimal(1000))
    book, crossed = book.seen(Decimal(921), limits)
    assert crossed == ()
    book, crossed = book.seen(Decimal(920), limits)
    assert [one.is_reached for one in crossed] == [False]
    book, crossed = book.seen(Decimal(915), limits)
    assert crossed == ()
    book, crossed = book.seen(Decimal(900), limits)
    assert [one.is_reached for one in crossed] == [True]
    book, crossed = book.seen(Decimal(1200), limits)
    assert crossed == ()
    assert [line.reached for line in book.lines(limits)] == [True, False]
    book = book.rolled(now + timedelta(days=1), UTC, MIDNIGHT, Decimal(900), Decimal(900))
    assert [line.reached for line in book.lines(limits)] == [False, False]


def test_a_new_day_opens_only_what_the_day_had_closed() -> None:
    limits = rules(daily_loss="10", weekly_loss="10")
    now = at("2026-03-02T10:00")
    book = LossBook().rolled(now, UTC, MIDNIGHT, Decimal(1000), Decimal(1000))
    book, _ = book.seen(Decimal(900), limits)
    tuesday = book.rolled(now + timedelta(days=1), UTC, MIDNIGHT, Decimal(900), Decimal(900))
    assert [(line.key, line.reached) for line in tuesday.lines(limits)] == [
        ("daily_loss", False),
        ("weekly_loss", True),
    ]


@pytest.mark.parametrize(
    "doc",
    [
        {"anchors": {"day": {"start": "x", "balance": "1", "equity": "1"}}},
        {"anchors": {"day": {"start": "2026-01-01T00:00:00+00:00", "balance": "NaN"}}},
        {"anchors": [], "reached": []},
        {"reached": ["never"]},
    ],
    ids=["time", "amount", "shape", "period"],
)
def test_a_record_that_cannot_be_read_is_an_error_and_no_new_beginning(
    doc: dict[str, object],
) -> None:
    with pytest.raises(DomainError):
        LossBook.of_document(doc)


def a_move(name: str, at_: datetime, amount: str, *, is_payment: bool = False) -> Movement:
    return Movement(movement_id=name, at=at_, amount=Decimal(amount), is_payment=is_payment)


def begun(now: datetime, balance: int = 1000) -> LossBook:
    book = LossBook().rolled(now, UTC, MIDNIGHT, Decimal(balance), Decimal(balance))
    return book.accounted(now, Decimal(balance), ())


class TestMoney:
    def test_an_amount_and_a_share_hold_beside_each_other(self) -> None:
        limits = rules(daily_loss="5 %, 30 money")
        lines = begun(at("2026-03-02T10:00")).lines(limits)
        assert [line.limit for line in lines] == ["5 %", "30.00"]
        assert [line.floor for line in lines] == [950, 970]
        assert [line.said(Decimal(980)) for line in lines] == ["2.00 %", "20.00"]

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("5", "5 %"),
            ("5%", "5 %"),
            ("500 money", "500 money"),
            ("500.50 Money , 4 %", "4 %, 500.50 money"),
            ("none", "none"),
        ],
        ids=["number", "share", "money", "both", "none"],
    )
    def test_a_limit_is_written_with_its_unit(self, written: str, read: str) -> None:
        assert str(rules(daily_loss=written).daily_loss) == read
        assert str(rules(daily_loss=read).daily_loss) == read

    @pytest.mark.parametrize(
        "written",
        ["0", "0 money", "101 %", "5 % 6 %", "5 %, 6 %", "5 EUR", "", "-5", "NaN", True, 5.5, None],
        ids="zero nothing over run_on twice euro empty minus nan flag float null".split(),
    )
    def test_a_limit_that_means_nothing_is_refused(self, written: object) -> None:
        with pytest.raises(DomainError, match="daily_loss"):
            rules(daily_loss=written)

    def test_no_level_loosens_anothers_limit_in_either_unit(self) -> None:
        levels = [
            Level(source="account", doc={"daily_loss": "4 %, 900 money"}),
            Level(source="your default", doc={"daily_loss": "9 %, 300 money"}),
        ]
        found = resolve(levels)
        assert str(found.rules.daily_loss) == "4 %, 300 money"
        assert found.source("daily_loss") == "account, your default"
        loose = Level(source="your default", doc={"daily_loss": "none"})
        assert resolve([levels[0], loose]).source("daily_loss") == "account"

    def test_the_equity_floor_is_an_amount_or_a_share_of_the_balance(self) -> None:
        floors = {"0": None, "none": None, "900": 900, "900 money": 900, "95 %": 950}
        for written, floor in (floors | {"95 %, 990 money": 990}).items():
            assert rules(equity_stop=written).equity_stop.of(Decimal(1000)) == floor, written


class TestPayments:
    NOW = at("2026-03-02T10:00")

    def test_a_withdrawal_is_no_loss_and_a_deposit_no_profit(self) -> None:
        limits, later = rules(daily_loss="10 %, 100 money"), self.NOW + timedelta(hours=1)
        taken = a_move("d1", later, "-400", is_payment=True)
        book = begun(self.NOW).accounted(later, Decimal(600), [taken])
        book, crossed = book.seen(Decimal(600), limits)
        assert crossed == ()
        assert [line.floor for line in book.lines(limits)] == [540, 500]
        given = a_move("d2", later, "1000", is_payment=True)
        book = book.accounted(later, Decimal(1600), [taken, given])
        book, crossed = book.seen(Decimal(1500), limits)
        assert [one.text for one in crossed] == [
            "the loss of the day is 100.00, your limit is 100.00"
        ]

    def test_a_payment_before_the_day_counts_in_the_week_only(self) -> None:
        tuesday = at("2026-03-03T00:00")
        paid = a_move("d1", at("2026-03-02T23:59"), "500", is_payment=True)
        book = begun(self.NOW).rolled(tuesday, UTC, MIDNIGHT, Decimal(1500), Decimal(1500))
        book = book.accounted(tuesday, Decimal(1500), [paid])
        assert book.anchors[Period.DAY].balance == 1500
        assert book.anchors[Period.WEEK].balance == 1500
        assert book.anchors[Period.TOTAL].balance == 1500

    def test_a_change_that_nothing_explains_yet_is_no_loss_for_a_while(self) -> None:
        later = self.NOW + timedelta(minutes=5)
        book = begun(self.NOW).accounted(later, Decimal(600), [])
        assert not book.money.is_clear(later)
        book = LossBook.of_document(book.document())
        explained = book.accounted(
            later, Decimal(600), [a_move("d1", later, "-400", is_payment=True)]
        )
        assert explained.money.is_clear(later)
        assert explained.anchors[Period.DAY].balance == 600
        lost = book.accounted(later + PATIENCE, Decimal(600), [])
        assert lost.money.is_clear(later + PATIENCE)
        assert lost.anchors[Period.DAY].balance == 1000

    def test_a_history_that_cannot_be_read_excuses_a_loss_only_for_a_while(self) -> None:
        book, later = begun(self.NOW), self.NOW + timedelta(minutes=5)
        book = book.unread(later, Decimal(600))
        assert not book.money.is_clear(later + timedelta(seconds=119))
        assert not book.unread(later + PATIENCE, Decimal(600)).money.needs_rows(Decimal(600))


moves = st.lists(st.tuples(st.integers(-500, 500), st.booleans()), max_size=12)


@given(moves=moves, shape=st.sampled_from(list(DrawdownFrom)), data=st.data())
def test_payments_never_change_how_much_is_left_to_lose(
    moves: list[tuple[int, bool]], shape: DrawdownFrom, data: st.DataObject
) -> None:
    """The room of every limit is the same as if only the trades had happened."""
    now = at("2026-03-02T10:00")
    limits = rules(daily_loss="900 money", total_drawdown="2000 money", drawdown_from=shape.value)
    paid, plain = begun(now, 100_000), begun(now, 100_000)
    with_payments = only_trades = Decimal(100_000)
    rows = []
    for number, (amount, is_payment) in enumerate(moves):
        now += timedelta(minutes=data.draw(st.integers(1, 1_000)))
        for name, book in (("paid", paid), ("plain", plain)):
            balance = with_payments if name == "paid" else only_trades
            rolled = book.rolled(now, UTC, MIDNIGHT, balance, balance)
            paid, plain = (rolled, plain) if name == "paid" else (paid, rolled)
        row = a_move(str(number), now + timedelta(seconds=1), str(amount), is_payment=is_payment)
        rows.append(row)
        with_payments += amount
        paid, _ = paid.accounted(now, with_payments, rows).seen(with_payments, limits)
        if not is_payment:
            only_trades += amount
        plain, _ = plain.accounted(now, only_trades, [r for r in rows if not r.is_payment]).seen(
            only_trades, limits
        )
    assert [with_payments - line.floor for line in paid.lines(limits)] == [
        only_trades - line.floor for line in plain.lines(limits)
    ]
    assert (paid.reached, paid.warned) == (plain.reached, plain.warned)


class TestTrailing:
    def floors(self, shape: str, equities: list[int], *, hours: int = 1) -> list[Decimal]:
        limits = rules(total_drawdown="10 %", drawdown_from=shape, loss_anchor="balance")
        now, book, found = at("2026-03-02T10:00"), LossBook(), []
        for equity in equities:
            money = Decimal(equity)
            book = book.rolled(now, UTC, MIDNIGHT, money, money)
            book, _ = book.seen(money, limits)
            book = LossBook.of_document(book.document())
            found.append(book.lines(limits)[-1].floor)
            now += timedelta(hours=hours)
        return found

    def test_a_static_limit_stays_where_counting_began(self) -> None:
        assert self.floors("start", [1000, 1300, 950]) == [900, 900, 900]

    def test_a_trailing_limit_follows_the_highest_equity(self) -> None:
        assert self.floors("peak", [1000, 1050, 1300, 1250]) == [900, 950, 1200, 1200]

    def test_one_that_follows_the_end_of_the_day_knows_no_peak_within_it(self) -> None:
        assert self.floors("day_peak", [1000, 1300, 1100]) == [900, 900, 900]
        found = self.floors("day_peak", [1000, 1300, 1100, 1400, 1200], hours=24)
        assert found == [900, 1200, 1200, 1300, 1300]

    def test_one_that_goes_up_to_the_start_stays_there(self) -> None:
        assert self.floors("peak_to_start", [1000, 1050, 1300]) == [900, 950, 1000]
        found = self.floors("day_peak_to_start", [1000, 1050, 1300], hours=24)
        assert found == [900, 950, 1000]

    @given(
        shape=st.sampled_from(list(DrawdownFrom)),
        equities=st.lists(st.integers(1, 5000), min_size=1, max_size=20),
        hours=st.integers(1, 30),
    )
    def test_no_floor_ever_falls(
        self, shape: DrawdownFrom, equities: list[int], hours: int
    ) -> None:
        found = self.floors(shape.value, equities, hours=hours)
        assert found == sorted(found)

    def test_counting_anew_begins_at_the_money_of_now(self) -> None:
        limits = rules(total_drawdown="10 %", drawdown_from="peak")
        now = at("2026-03-02T10:00")
        book, _ = begun(now, 1000).seen(Decimal(2000), limits)
        book = book.without_total().rolled(now, UTC, MIDNIGHT, Decimal(1500), Decimal(1500))
        assert book.lines(limits)[-1].floor == 1350
