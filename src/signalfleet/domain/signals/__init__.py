"""From a channel message to a reading. No account, no price, no clock: the same text reads the same."""
