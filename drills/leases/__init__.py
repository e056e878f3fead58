"""The protocol of leases as a simulation: the product's keepers on virtual time under faults.

`python -m drills LEASES` plays many seeds, `python -m drills.leases SEED` repeats one and tells it.
"""
