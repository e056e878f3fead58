"""The rules of the trade: pure values and functions. No input or output, clock, randomness or logging."""
