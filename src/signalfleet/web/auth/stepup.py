"""Step-up: what risks most needs a sign-in of just now, not a browser that was left open."""

from datetime import timedelta
from typing import Final

from signalfleet.web.auth.sessions import Signed
from signalfleet.web.deps import WebDeps

PROOF_LASTS: Final = timedelta(minutes=10)


def is_fresh(signed: Signed, deps: WebDeps) -> bool:
    """Tell whether the user proved just now who they are; in the demo there is nothing to prove."""
    if signed.user == deps.demo_user:
        return True
    return deps.clock.now() - signed.since < PROOF_LASTS
