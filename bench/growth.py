"""Whether something grows: the slope of the line that fits a row of samples best."""

import statistics
from collections.abc import Sequence


def growth(points: Sequence[tuple[float, float]]) -> float:
    """Return by how much the second grows in a minute; the first is seconds."""
    if len(points) < 2:
        return 0.0
    return 60 * statistics.linear_regression(*zip(*points, strict=True)).slope
