"""Copies trading signals from a user's Telegram channels to the user's MetaTrader 5 account."""
