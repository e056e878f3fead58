"""What can be traded: canonical symbols, brokers' names for them, and an instrument's facts."""
