"""Each user's running bot in a worker and what starts, watches and stops it. No web pages here."""
