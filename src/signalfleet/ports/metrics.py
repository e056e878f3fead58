"""Counting and timing, by names of the catalogue only. No label may name a user or a channel."""

from collections.abc import Sequence
from typing import Protocol


class Metrics(Protocol):
    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...

    def gauge(self, name: str, value: float, **labels: str) -> None: ...

    def observe(self, name: str, seconds: float, **labels: str) -> None: ...

    def distribution(self, name: str, values: Sequence[float]) -> None:
        """Show how a value is spread over its owners now; the next call replaces it."""
        ...
