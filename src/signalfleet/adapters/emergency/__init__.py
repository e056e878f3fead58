"""The worker's store while the database is away: what lessens risk goes on, written to a file.

Holds the file of entries that the database does not know yet, what is known of live trades, and the
wrapper that puts both between the bots and their store. It decides nothing about trading itself.
"""

from signalfleet.adapters.emergency.store import EmergencyStore

__all__ = ["EmergencyStore"]
