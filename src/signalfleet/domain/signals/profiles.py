"""What is known of one channel and changes how its messages are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from signalfleet.domain.signals.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProfile:
    """Versioned data of one user about one channel; the empty profile knows nothing.

    `number_style` is the channel's decimal mark: "comma", "dot" or "" for unknown. `extra_words`
    has the roles and moods of the language files, and canonical symbols, as its keys.
    """

    version: int = 0
    default_symbol: str | None = None
    pip_size: Mapping[str, Decimal] = field(default_factory=dict)
    number_style: str = ""
    extra_words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignore_phrases: tuple[str, ...] = ()
    signal_topics: frozenset[int] = frozenset()
    rules: tuple[Rule, ...] = ()
    layouts: frozenset[str] = frozenset()
    accept_at: int = 80
    hold_at: int = 50


NO_PROFILE = ChannelProfile()
