"""How the SDK's errors reach the use cases. Their texts stay out: they may hold paths."""

from firebase_admin import exceptions
from google.auth.exceptions import GoogleAuthError

from signalfleet.ports.errors import PortError, RefusedError, StoreUnavailableError

VENDOR_ERRORS = (exceptions.FirebaseError, GoogleAuthError)
_DENIED = (exceptions.UnauthenticatedError, exceptions.PermissionDeniedError)


class DeniedError(RefusedError):
    """The rules of the database refuse this; nothing was written."""


def translated(error: Exception) -> PortError:
    if isinstance(error, _DENIED):
        if "permission" in str(error).lower():
            return DeniedError("the rules of the database refuse this")
        return StoreUnavailableError("Firebase does not accept this server's credentials")
    if isinstance(error, exceptions.InvalidArgumentError | exceptions.NotFoundError):
        if "index not defined" in str(error).lower():
            return RefusedError(
                "the rules in Firebase are not those of this release: deploy "
                "deploy/firebase/rules.json"
            )
        return RefusedError("Firebase does not understand this request")
    if isinstance(error, GoogleAuthError):
        return StoreUnavailableError("the credentials for Firebase could not be used")
    return StoreUnavailableError(f"Firebase does not answer: {type(error).__name__}")
