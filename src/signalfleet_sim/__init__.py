"""The city in a box: stand-in Telegram and MetaApi servers with scripted channels and a seeded market."""
