"""One budget over all legs, rounded down; what was asked and what was got is told."""

from dataclasses import replace
from decimal import Decimal

import pytest

from kit.builders import GOLD, a_quote, rules
from signalfleet.domain.instruments.model import Instrument, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.budget import Layer, SizingQuestion
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.risk.sizing import SizingReport, loss_per_lot, size_copy
from signalfleet.domain.settings.catalogue import Rules


def ask(
    *,
    balance: str = "10000",
    equity: str | None = None,
    side: Side = Side.BUY,
    entry: str = "2350",
    stop: str = "2340",
    legs: int = 1,
    instrument: Instrument = GOLD,
    is_half: bool = False,
) -> SizingQuestion:
    return SizingQuestion(
        balance=Decimal(balance),
        equity=Decimal(equity or balance),
        instrument=instrument,
        quote=a_quote(),
        side=side,
        layers=(Layer(entry=Price.of(entry)),),
        stop=Price.of(stop),
        weights=(Decimal(1),) * legs,
        is_half=is_half,
    )


def sized(question: SizingQuestion, in_force: Rules) -> SizingReport:
    result = size_copy(question, in_force)
    assert isinstance(result, SizingReport), result
    return result


def refused(question: SizingQuestion, in_force: Rules) -> Refusal:
    result = size_copy(question, in_force)
    assert isinstance(result, Refusal), result
    return result


class TestWorkedExample:
    """10,000 dollars, 1 %, gold 2350 to 2340, commission 7: trading.md 4."""

    RULES = rules(risk_percent="1", commission_per_lot="7")

    def test_is_sized_to_the_cent(self) -> None:
        report = sized(ask(), self.RULES)
        assert report.loss_per_lot == 1_007
        assert report.asked_money == 100
        assert f"{report.lots_exact:.4f}" == "0.0993"
        assert report.lots == Lots.of("0.09")
        assert report.got_money == Decimal("90.63")
        assert f"{report.got_percent:.2f}" == "0.91"
        assert report.caps == ()

    @pytest.mark.parametrize(
        ("targets", "legs"),
        [
            (1, ["0.09"]),
            (3, ["0.03", "0.03", "0.03"]),
            (4, ["0.03", "0.02", "0.02", "0.02"]),
            (9, ["0.01"] * 9),
        ],
    )
    def test_is_split_with_the_rest_on_the_nearest(self, targets: int, legs: list[str]) -> None:
        report = sized(ask(legs=targets), self.RULES)
        assert [str(leg.lots) for leg in report.legs] == legs

    def test_keeps_the_nearest_targets_where_the_lots_do_not_suffice_and_says_so(self) -> None:
        report = sized(ask(legs=12), self.RULES)
        assert len(report.legs) == 9
        assert report.caps == ("few_lots",)


def test_three_targets_risk_as_much_as_one() -> None:
    one, three = (sized(ask(legs=n), rules()) for n in (1, 3))
    assert one.got_money == three.got_money


def test_a_half_size_is_half_of_the_budget() -> None:
    whole, half = sized(ask(), rules()), sized(ask(is_half=True), rules())
    assert half.asked_money == whole.asked_money / 2
    assert half.lots == Lots.of("0.05")
    assert "half_size" in half.caps


def test_half_of_fixed_lots_is_half_of_them() -> None:
    in_force = rules(size_mode="fixed_lots", fixed_lots="0.10")
    assert sized(ask(is_half=True), in_force).lots == Lots.of("0.05")


@pytest.mark.parametrize(("base", "asked"), [("balance", "100"), ("equity", "80"), ("lower", "80")])
def test_the_budget_counts_from_what_the_user_chose(base: str, asked: str) -> None:
    report = sized(ask(equity="8000"), rules(risk_base=base))
    assert report.asked_money == Decimal(asked)


def test_a_sells_stop_is_reached_by_the_ask() -> None:
    question = ask(side=Side.SELL, stop="2360")
    (layer,) = question.layers
    assert loss_per_lot(question, layer, rules()) == 1_010
    assert loss_per_lot(question, layer, rules(costs_in_risk=False)) == 1_000


def test_the_risk_is_capped_and_the_cap_is_told() -> None:
    report = sized(ask(), rules(risk_percent="5", max_risk_percent="0.5"))
    assert report.got_money <= 50
    assert report.caps == ("max_risk_percent",)
    assert report.asked_percent == 5


def test_fixed_lots_are_held_to_the_same_limit() -> None:
    report = sized(ask(), rules(size_mode="fixed_lots", fixed_lots="1", max_risk_percent="1"))
    assert report.lots == Lots.of("0.10")


def test_the_volume_is_capped_by_the_users_and_the_brokers_maximum() -> None:
    assert sized(ask(), rules(max_lots="0.04")).lots == Lots.of("0.04")
    small = replace(GOLD, max_lots=Lots.of("0.03"))
    report = sized(ask(legs=2, instrument=small), rules())
    assert [leg.lots for leg in report.legs] == [Lots.of("0.03"), Lots.of("0.03")]
    assert report.caps == ("max_volume",)


def test_below_the_smallest_lot_nothing_is_traded_unless_the_user_said_so() -> None:
    poor = ask(balance="900")
    assert refused(poor, rules()).code == "below_min_lot"
    report = sized(poor, rules(below_min_lot="use_min"))
    assert report.lots == Lots.of("0.01")
    assert report.got_money == 10
    assert report.caps == ("use_min",)


@pytest.mark.parametrize(
    ("balance", "doc"),
    [
        ("800", {"below_min_lot": "use_min"}),
        ("900", {"below_min_lot": "use_min", "max_risk_percent": "1.05"}),
        ("900", {"below_min_lot": "use_min", "max_lots": "0.005"}),
    ],
)
def test_the_smallest_lot_is_not_used_where_it_passes_a_limit(
    balance: str, doc: dict[str, str]
) -> None:
    assert refused(ask(balance=balance), rules(**doc)).code == "below_min_lot"


@pytest.mark.parametrize("balance", ["0", "-5"])
def test_an_empty_account_trades_nothing(balance: str) -> None:
    assert refused(ask(balance=balance), rules()).code == "no_balance"


def test_a_stop_at_the_entry_is_no_stop() -> None:
    assert refused(ask(stop="2350"), rules(costs_in_risk=False)).code == "stop_distance"


class TestModes:
    def test_an_amount_at_risk_is_split_like_any_budget(self) -> None:
        report = sized(ask(), rules(size_mode="risk_money", risk_money="55"))
        assert (report.asked_money, report.lots) == (Decimal(55), Lots.of("0.05"))

    def test_an_amount_in_another_currency_is_converted_and_the_rate_is_told(self) -> None:
        question = replace(ask(), currency="USD", rates={"EUR": Decimal("1.25")})
        report = sized(question, rules(size_mode="risk_money", risk_money="80 eur"))
        assert report.asked_money == 100
        assert report.lots == Lots.of("0.10")
        assert report.rate == "1 EUR = 1.250000 USD"

    def test_an_amount_whose_rate_is_not_known_trades_nothing(self) -> None:
        question = replace(ask(), currency="USD")
        in_force = rules(size_mode="risk_money", risk_money="80 EUR")
        assert refused(question, in_force).code == "no_rate"

    @pytest.mark.parametrize("mode", ["risk_money", "balance_ratio"])
    def test_a_mode_without_its_number_trades_nothing(self, mode: str) -> None:
        assert refused(ask(), rules(size_mode=mode)).code == "size_not_set"

    def test_lots_grow_with_the_balance(self) -> None:
        in_force = rules(size_mode="balance_ratio", balance_ratio="1000")
        assert sized(ask(), in_force).lots == Lots.of("0.10")
        assert sized(ask(balance="25900"), in_force).lots == Lots.of("0.25")

    def test_a_factor_multiplies_every_mode_and_the_caps_still_hold(self) -> None:
        assert sized(ask(), rules(size_factor="0.5")).asked_money == 50
        capped = sized(ask(), rules(size_factor="5", max_risk_percent="2"))
        assert capped.got_money == 200
        assert capped.caps == ("max_risk_percent",)

    def test_the_signals_own_size_is_used_only_where_the_user_lets_it(self) -> None:
        question = replace(ask(), signal_risk=Decimal("0.5"), signal_lots=Lots.of("0.02"))
        assert sized(question, rules()).asked_money == 100
        assert sized(question, rules(use_signal_size="risk")).asked_money == 50
        by_lots = sized(question, rules(use_signal_size="risk_and_lots"))
        assert by_lots.lots == Lots.of("0.02")
        assert by_lots.how == "0.02 lots, said by the signal"

    def test_a_signal_cannot_raise_the_risk_past_the_users_cap(self) -> None:
        question = replace(ask(), signal_risk=Decimal(30))
        report = sized(question, rules(use_signal_size="risk"))
        assert report.got_money <= 200


class TestWithoutStop:
    QUESTION = replace(ask(), stop=None)

    def test_a_size_that_follows_from_a_risk_is_refused(self) -> None:
        assert refused(self.QUESTION, rules()).code == "no_stop"

    def test_fixed_lots_count_with_the_assumed_loss(self) -> None:
        in_force = rules(size_mode="fixed_lots", fixed_lots="0.03", assumed_loss_percent="4")
        report = sized(self.QUESTION, in_force)
        assert report.lots == Lots.of("0.03")
        assert report.got_money == 400


class TestWeights:
    def test_shares_of_targets_go_by_largest_remainders(self) -> None:
        question = replace(ask(), weights=(Decimal(50), Decimal(30), Decimal(20)))
        report = sized(question, rules(risk_percent="0.9"))
        assert [str(leg.lots) for leg in report.legs] == ["0.04", "0.03", "0.02"]

    @pytest.mark.parametrize(
        ("few", "slots"),
        [("nearest_first", [0, 1]), ("farthest_first", [2, 3]), ("one_at 3", [2])],
    )
    def test_too_few_lots_keep_the_targets_that_the_user_chose(
        self, few: str, slots: list[int]
    ) -> None:
        report = sized(ask(legs=4), rules(risk_percent="0.2", few_lots=few))
        assert [leg.slot for leg in report.legs] == slots
        assert report.lots == Lots.of("0.02")
        assert report.caps == ("few_lots",)


class TestLayers:
    LAYERS = tuple(
        Layer(entry=Price.of(entry), share=Decimal(1) / 3) for entry in ("2350", "2347", "2344")
    )

    def test_share_one_budget_by_their_own_stop_distances(self) -> None:
        """A lot at each price loses 1000, 700 and 400: 0.13 lots lose 94, 0.14 would lose 101."""
        report = sized(replace(ask(), layers=self.LAYERS), rules())
        assert [str(leg.lots) for leg in report.legs] == ["0.05", "0.04", "0.04"]
        assert report.got_money == 50 + 28 + 16

    def test_a_layer_never_makes_the_copy_risk_more(self) -> None:
        report = sized(replace(ask(), layers=self.LAYERS), rules())
        assert report.got_money <= report.asked_money
