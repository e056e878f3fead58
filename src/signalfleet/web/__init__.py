"""Pages, live updates and health of the web role: reads the store, wakes owners by the bus.

Nothing here touches a bot, opens a secret or speaks to a vendor; it needs ports only.
"""
