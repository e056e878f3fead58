"""The rules of the trade: pure values and functions. No input, output, clock, chance or logging."""
