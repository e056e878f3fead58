"""Log set-up and the catalogue of metrics. No business rules."""
