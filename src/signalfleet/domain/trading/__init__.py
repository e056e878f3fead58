"""Plans, intents and the life of orders and trades, decided without acting."""
