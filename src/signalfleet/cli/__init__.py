"""The command line: one file for each group of commands; it starts things and prints."""

from signalfleet.cli.main import main

__all__ = ["main"]
