"""Sign-in sessions, the guards of routes, and the defence against forged requests."""
