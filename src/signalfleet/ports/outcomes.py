"""The three outcomes of an order, under the name that ports use."""

from signalfleet.domain.trading.outcomes import Accepted, Outcome, Rejected, Unknown

__all__ = ["Accepted", "Outcome", "Rejected", "Unknown"]
