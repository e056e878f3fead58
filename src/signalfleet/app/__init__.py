"""Use cases: one file, one verb. The domain decides, ports act; no vendor's name appears here."""
