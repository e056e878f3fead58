"""Copies trading signals from a user's own Telegram channels to the user's own MetaTrader 5 account."""
