"""One MetaTrader account through MetaApi's REST service.

`client.py` alone knows the HTTP library; `bodies.py`, `mapping.py`, `answers.py` and `errors.py`
are pure. Nothing here repeats an order, and nothing here decides what to trade.
"""
