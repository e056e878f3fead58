"""Seeded price paths and the clock of the simulated market.

`SeededMarket` moves the mid prices of its instruments with a given generator and a given clock, so
the same seed and the same moments give the same path; scripts steer or set a symbol on top of it.
"""
