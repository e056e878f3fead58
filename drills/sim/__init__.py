"""The seeded simulation: whole bots in one process on virtual time, with every fault of the drills.

One `random.Random(seed)` decides texts, prices, delays, faults and crashes, so a seed that fails
fails again: `python -m drills.sim SEED` repeats it and shows what happened when.
"""
