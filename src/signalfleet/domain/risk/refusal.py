"""A "no" to a trade: a value with a code and the checks that led to it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule that was looked at: its value, its limit and who set the limit, as shown text."""

    name: str
    value: str
    limit: str
    source: str
    passed: bool
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nothing is sent; `code` is the first failed check's, `detail` its values in words."""

    code: str
    detail: str = ""
    checks: tuple[Check, ...] = ()
