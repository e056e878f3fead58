"""What the use cases need from outside, as protocols. No code that does anything."""
