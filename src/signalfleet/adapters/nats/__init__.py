"""The bus over NATS: the child server, the connection, work streams and live events.

Holds everything that knows NATS; no decisions about users, slots or leases live here.
"""
