"""A broker of paper: real prices of another source, orders carried out by our own matching engine.

`books.py` is pure and writes a book as JSON and back; `memory.py` keeps it in the store.
"""
