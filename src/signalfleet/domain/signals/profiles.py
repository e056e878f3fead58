"""What is known of one channel and changes how its messages are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from signalfleet.domain.signals.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProfile:
    """Versioned data of one user about one channel; the empty profile knows nothing.

    `number_style` is the channel's decimal mark: "comma", "dot" or "" for unknown. `extra_words`
    has the roles and moods of the language files, and canonical symbols, as its keys. `pip_size` is
    what the channel means by one pip or point of a symbol. Without `no_price_means_market` an entry
    that names no price waits for the user. The user has looked at the layouts of the first
    `layouts_at` signal-like messages, and `layouts` are those that were found right.
    """

    version: int = 0
    default_symbol: str | None = None
    no_price_means_market: bool = True
    pip_size: Mapping[str, Decimal] = field(default_factory=dict)
    number_style: str = ""
    extra_words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignore_phrases: tuple[str, ...] = ()
    signal_topics: frozenset[int] = frozenset()
    rules: tuple[Rule, ...] = ()
    layouts: frozenset[str] = frozenset()
    layouts_at: int = 0
    accept_at: int = 80
    hold_at: int = 50


NO_PROFILE = ChannelProfile()
