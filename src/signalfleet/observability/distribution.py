"""How a value is spread over its owners at this moment, in Prometheus' words a gauge histogram."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeHistogramMetricFamily
from prometheus_client.registry import Collector


class Distribution(Collector):
    """Counts how many of the newest values are at most each bound."""

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._text = text
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def show(self, values: Sequence[float]) -> None:
        """Replace what was shown before."""
        counts = [0] * (len(self._bounds) + 1)
        for value in values:
            counts[bisect_left(self._bounds, value)] += 1
        self._counts, self._sum = counts, sum(values)

    def collect(self) -> Iterator[GaugeHistogramMetricFamily]:
        buckets: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            below += count
            buckets.append(("+Inf" if bound == float("inf") else repr(float(bound)), below))
        yield GaugeHistogramMetricFamily(
            self._name, self._text, buckets=buckets, gsum_value=self._sum
        )
