"""The history of the schema, for both dialects. A released revision is never changed."""
