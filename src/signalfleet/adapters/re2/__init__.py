"""Users' patterns on RE2: linear time, bounded memory, no lookaround, no back-references."""
