"""The store in Firebase Realtime Database, by the official Admin SDK.

Importing this package needs `firebase-admin` (the extra `firebase`), so nothing imports it before
STORE_URL asks for it. Every write to trading rows is one multi-path update that the database's own
rules fence by epoch; a claim is a conditional write of one node before it.
"""

from signalfleet.adapters.firebase.limits import LAYOUT
from signalfleet.adapters.firebase.row_access import open_row_access
from signalfleet.adapters.firebase.store import FirebaseStore, Identity

__all__ = ["LAYOUT", "FirebaseStore", "Identity", "open_row_access"]
