"""Live updates: what the bus tells of a user becomes finished panels on the open pages."""
