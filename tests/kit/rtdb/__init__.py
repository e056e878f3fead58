"""FakeRtdb: our own imitation of Firebase Realtime Database, built from its REST documentation.

It proves the shape of our requests and our use of the rules. It does not prove that Google's
service behaves so: what has run only here is unverified against the real one.
"""

from kit.rtdb.server import FakeRtdb, Fault

__all__ = ["FakeRtdb", "Fault"]
