"""HTML pages and their fragments, one module per screen; no rule of trading lives here."""
