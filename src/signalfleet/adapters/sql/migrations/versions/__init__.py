"""One file per revision; each speaks for itself and imports nothing of the product."""
