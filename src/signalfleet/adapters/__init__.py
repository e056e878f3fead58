"""One folder per vendor, each fulfilling ports. No adapter knows another, none calls a use case."""
