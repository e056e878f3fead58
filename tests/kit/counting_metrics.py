"""Metrics that remember what was counted."""

from collections import Counter
from collections.abc import Sequence


class CountingMetrics:
    def __init__(self) -> None:
        self.counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self.gauges: dict[str, float] = {}
        self.observed: Counter[str] = Counter()
        self.distributions: dict[str, tuple[float, ...]] = {}

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self.counts[name, tuple(sorted(labels.items()))] += int(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self.gauges[name] = value

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        self.observed[name] += 1

    def distribution(self, name: str, values: Sequence[float]) -> None:
        self.distributions[name] = tuple(values)

    def labels_of(self, name: str) -> list[dict[str, str]]:
        return [dict(labels) for counted, labels in self.counts if counted == name]
