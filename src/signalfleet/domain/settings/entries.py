"""How a trade is entered, and when an entry is too late."""

from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.settings.choices import EntryPolicy
from signalfleet.domain.settings.values import FLAG, Merge, choice, number, setting


@dataclass(frozen=True, kw_only=True)
class EntryRules:
    entry_policy: EntryPolicy = setting(
        EntryPolicy.MARKET_IF_NEAR,
        choice(EntryPolicy),
        "Enter at the market when the price is near the stated entry, always, or never.",
        also_called=("First Entry as Market",),
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
