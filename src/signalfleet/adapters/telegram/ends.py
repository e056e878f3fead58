"""Of all errors that end a reader's tasks together, the one that says most."""

from signalfleet.ports.errors import SignInRequiredError, TemporaryError


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that says most: a lost sign-in before a lost connection."""
    errors: list[BaseException] = []
    queue: list[BaseException] = [group]
    while queue:
        error = queue.pop()
        if isinstance(error, BaseExceptionGroup):
            queue.extend(error.exceptions)
        else:
            errors.append(error)
    for error in errors:
        if isinstance(error, SignInRequiredError):
            return error
    outages = (TemporaryError,)
    return next((e for e in errors if not isinstance(e, outages)), errors[0])
