"""The city in a box: simulated Telegram and MetaApi with scripted channels and a market."""
