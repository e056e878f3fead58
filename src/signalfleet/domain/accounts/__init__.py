"""Users' tiers and quotas, and the life of a bot as a table of states."""
