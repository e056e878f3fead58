"""A "no" to a trade: a value with a code and the checks that led to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from signalfleet.domain.settings.resolve import Effective


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
    """Why nothing is sent; `code` is the first failed check's, `detail` its values in words.

    `setting` names the setting whose limit it was, where its source is still to be told.
    """

    code: str
    detail: str = ""
    checks: tuple[Check, ...] = ()
    setting: str = ""

    def after(self, before: Sequence[Check], effective: Effective) -> "Refusal":
        """Return it with what was looked at before, and with the source of its limit."""
        own = self.checks
        if self.setting:
            source = effective.source(self.setting)
            own = tuple(replace(check, source=source) for check in own)
        return replace(self, checks=(*before, *own), setting="")


def refused(
    code: str,
    name: str,
    value: str,
    limit: str,
    *,
    setting: str = "",
    source: str = "",
    detail: str = "",
) -> Refusal:
    """Say no by one failed check; its limit comes from a setting, or from a source by name."""
    check = Check(name=name, value=value, limit=limit, source=source, passed=False, code=code)
    return Refusal(
        code=code,
        detail=detail or f"{name} {value}, limit {limit}",
        checks=(check,),
        setting=setting,
    )
