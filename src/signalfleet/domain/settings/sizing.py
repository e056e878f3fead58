"""How large a copy is: its budget in money, and how lots are made of it."""

from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.settings.choices import (
    BelowMinLot,
    RiskBase,
    SizeMode,
    UseSignalSize,
)
from signalfleet.domain.settings.kinds import AMOUNT, Amount, optional
from signalfleet.domain.settings.values import (
    ACCOUNT_OR_USER,
    FLAG,
    Merge,
    choice,
    number,
    setting,
)


@dataclass(frozen=True, kw_only=True)
class SizingRules:
    size_mode: SizeMode = setting(
        SizeMode.RISK_PERCENT,
        choice(SizeMode),
        "How the size of a trade is found: from a share of the account or an amount at risk, "
        "always the same lots, or lots that grow with the balance.",
        also_called=(
            "RISK_MODE",
            "Lot Mode",
            "LotSizeType",
            "Volume Type",
            "risk_type",
            "tradeSizeScaling",
        ),
    )
    risk_percent: Decimal = setting(
        Decimal("1.0"),
        number("0.01", "10"),
        "What one signal may lose at its stop, over all its targets together.",
        unit="% of the account",
        also_called=("risk %", "%Balance->loss", "riskFraction"),
    )
    risk_base: RiskBase = setting(
        RiskBase.BALANCE,
        choice(RiskBase),
        "What the percentage is taken of; lower means the smaller of balance and equity.",
        scopes=ACCOUNT_OR_USER,
        also_called=("scale by",),
    )
    risk_money: Amount | None = setting(
        None,
        optional(AMOUNT),
        "What one signal may lose at its stop when size_mode is risk_money, over all its targets "
        "together; in another currency than the account's it is converted when the size is found.",
        unit="money",
        also_called=("MONEY_RISK_AMOUNT", "RiskAmount", "Dollar"),
    )
    fixed_lots: Decimal = setting(
        Decimal("0.01"),
        number("0.001", "100"),
        "The lots of one signal when the size is fixed, over all its targets together.",
        unit="lots",
        also_called=("FixedLot", "Default lot size", "fixedVolume"),
    )
    balance_ratio: Decimal | None = setting(
        None,
        optional(number("1", "1000000")),
        "How much balance stands for each 0.01 lots when size_mode is balance_ratio.",
        unit="account currency for 0.01 lots",
        also_called=("money ratio", "balance ratio"),
    )
    size_factor: Decimal = setting(
        Decimal(1),
        number("0.05", "5"),
        "What the size is multiplied by, however it was found; the caps still hold.",
        unit="times",
        also_called=("multiplier", "lot multiplier"),
    )
    use_signal_size: UseSignalSize = setting(
        UseSignalSize.NEVER,
        choice(UseSignalSize),
        "Whether the risk or the lots that a signal names replace yours; the caps still hold.",
        also_called=("lot from signal",),
    )
    max_risk_percent: Decimal = setting(
        Decimal("2.0"),
        number("0.01", "10"),
        "The most that one signal may lose at its stop, however its size was found.",
        merge=Merge.LOWEST,
        unit="% of the account",
        also_called=("maxTradeRisk",),
    )
    max_lots: Decimal = setting(
        Decimal(5),
        number("0.001", "100"),
        "The most lots of one signal, over all its targets together.",
        merge=Merge.LOWEST,
        unit="lots",
        also_called=("Max lot size", "Max Order Size"),
    )
    below_min_lot: BelowMinLot = setting(
        BelowMinLot.REFUSE,
        choice(BelowMinLot),
        "What happens when the budget buys less than the broker's smallest lot: refuse the "
        "signal, or use the smallest lot if that risks at most 1.2 times what you asked for.",
        also_called=("force_min", "minTradeAmount"),
    )
    costs_in_risk: bool = setting(
        True,
        FLAG,
        "Whether spread and commission count towards the budget.",
        scopes=ACCOUNT_OR_USER,
    )
    assumed_loss_percent: Decimal = setting(
        Decimal(5),
        number("0.1", "100"),
        "What a trade without a stop counts as in every limit on open risk.",
        scopes=ACCOUNT_OR_USER,
        unit="% of the balance",
    )
    commission_per_lot: Decimal = setting(
        Decimal(0),
        number("0", "1000"),
        "What your broker takes for opening and closing one lot.",
        scopes=ACCOUNT_OR_USER,
        unit="account currency a lot",
    )
