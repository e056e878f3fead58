"""How a trade is entered, and when an entry is too late."""

from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.settings.choices import EntryPolicy, ZoneMode
from signalfleet.domain.settings.kinds import LAYER_WEIGHTS, optional, whole_number
from signalfleet.domain.settings.values import (
    CHANNEL_OR_USER,
    FLAG,
    Merge,
    choice,
    number,
    setting,
)


@dataclass(frozen=True, kw_only=True)
class EntryRules:
    entry_policy: EntryPolicy = setting(
        EntryPolicy.MARKET_IF_NEAR,
        choice(EntryPolicy),
        "Enter at the market when the price is near the stated entry, always, or never.",
        also_called=("First Entry as Market",),
    )
    zone_mode: ZoneMode = setting(
        ZoneMode.NEAR,
        choice(ZoneMode),
        "Where in a stated zone a trade is entered: at the edge that the price touches first, in "
        "the middle, at the far edge, or at several prices between them.",
        also_called=("entry zone targets",),
    )
    layers: int = setting(
        3,
        whole_number(1, 10),
        "At how many prices of a zone orders are placed when zone_mode is layers.",
        unit="orders",
        also_called=("DCA", "grid orders"),
    )
    layer_weights: str | tuple[Decimal, ...] = setting(
        "even",
        LAYER_WEIGHTS,
        "How the size is shared over the layers, the first one nearest to the price.",
        unit="% of the size",
        also_called=(
            "Evenly Divided",
            "Increasing Exponential",
            "Decreasing Exponential",
            "DCA",
        ),
    )
    copy_pending: bool = setting(
        True,
        FLAG,
        "Whether orders that wait for a price are copied; a no at any level wins.",
        merge=Merge.LOWEST,
        also_called=("copy_pending", "skipPendingOrders"),
    )
    pending_expiry: Decimal = setting(
        Decimal(1440),
        number("1", "43200"),
        "How long an order may wait for its price.",
        merge=Merge.LOWEST,
        unit="minutes",
        also_called=("Expired time", "Signal Expiry"),
    )
    cancel_if_target_first: bool = setting(
        True,
        FLAG,
        "Whether a waiting order is cancelled when the price reaches its first target or its "
        "stop before its entry.",
        also_called=("Close Trade on TP/SL before Entry",),
    )
    max_deviation: Decimal | None = setting(
        None,
        optional(number("1", "10000"), "auto"),
        "How far past the price of the decision an order at market may still fill; auto leaves it "
        "to max_price_gap.",
        merge=Merge.LOWEST,
        unit="points",
        also_called=("slippage", "deviation", "Max Slippage"),
    )
    reverse: bool = setting(
        False,
        FLAG,
        "Trade the opposite of each signal: its first target becomes the stop, its stop the only "
        "target.",
        scopes=CHANNEL_OR_USER,
        also_called=("reverse", "invert"),
    )
