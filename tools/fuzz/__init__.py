"""Fuzzing of the parser; `python -m tools.fuzz` says how."""
