"""What the web role is told about rate limits: how many, and where they are counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from signalfleet.ports.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """`storage` is an address in slowapi's words; `options` go to its client as they are."""

    metrics: Metrics
    per_minute: int = 60
    storage: str = field(default="memory://", repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_shared(self) -> bool:
        return not self.storage.startswith("memory:")
