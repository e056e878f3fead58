"""From a channel message to a reading, from its text alone.

No account, no price, no clock: the same text reads the same for every user.
"""
