"""Scripted channels: what is posted, when, with which follow-ups."""
