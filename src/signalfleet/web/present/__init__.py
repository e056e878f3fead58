"""Stored facts turned into what a page says: words, numbers, rows. No HTTP, no HTML."""
