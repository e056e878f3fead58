"""The catalogue of user settings and how an effective value and its source are found."""
