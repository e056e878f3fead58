"""A MetaTrader 5 terminal on the same Windows machine, for development only.

`client.py` alone knows the vendor's module and its one thread; `requests.py`, `mapping.py` and
`errors.py` are pure. A terminal is one account, and its module is global: one of these a process.
"""
