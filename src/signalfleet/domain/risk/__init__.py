"""How large a trade may be and which checks stand before it."""
