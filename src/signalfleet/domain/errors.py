"""Errors of the domain: a value or a step that must not exist."""


class DomainError(ValueError):
    """A value breaks a rule that always holds; the message says which."""


class InvariantError(DomainError):
    """Two facts contradict each other; going on could trade wrongly."""
