"""The requests the server answers, by area. A handler takes a `Call` and returns the answer."""
