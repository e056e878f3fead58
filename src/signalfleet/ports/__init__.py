"""What the use cases need from outside, as protocols in domain words. No code that does anything."""
