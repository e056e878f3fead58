"""Which call is to go wrong, and how: rules from the control route or from a script."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from signalfleet_sim.metaapi.calls import Call

_MATCHES: Final = {"route", "account", "action", "nth", "probability", "times"}


class FaultError(ValueError):
    """The fault that was asked for does not exist or lacks something; the text says what."""


@dataclass(slots=True, kw_only=True)
class FaultRule:
    """One fault. It strikes from the `nth` matching call on, at most `times` times."""

    number: int
    kind: str
    params: Mapping[str, Any]
    route: str | None = None
    account: str | None = None
    action: str | None = None
    nth: int = 1
    probability: float = 1.0
    times: int | None = 1
    seen: int = 0
    struck: int = field(default=0)

    def body(self) -> dict[str, Any]:
        """Show the rule as the control route gives it."""
        match = {
            "route": self.route,
            "account": self.account,
            "action": self.action,
            "nth": self.nth,
            "probability": self.probability,
            "times": self.times,
        }
        return {
            "id": self.number,
            "kind": self.kind,
            "match": match,
            "seen": self.seen,
            "struck": self.struck,
        }

    def fits(self, call: Call, account: str | None, action: str | None) -> bool:
        if self.route not in {None, call.route} or self.account not in {None, account}:
            return False
        return self.action in {None, action}


class FaultBook:
    """The rules in the order they came; the first that strikes wins."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._numbers = 0
        self.rules: list[FaultRule] = []

    def add(self, match: Mapping[str, Any], kind: str, params: Mapping[str, Any]) -> FaultRule:
        """Add a rule. Without `times` it strikes once, with a `probability` for ever."""
        unknown = match.keys() - _MATCHES
        if unknown:
            raise FaultError(f"unknown in match: {', '.join(sorted(unknown))}")
        self._numbers += 1
        times = match.get("times", None if "probability" in match else 1)
        if kind == "requote":
            times = int(params.get("n", 1))
        rule = FaultRule(
            number=self._numbers,
            kind=kind,
            params=params,
            route=match.get("route"),
            account=match.get("account"),
            action=match.get("action"),
            nth=int(match.get("nth", 1)),
            probability=float(match.get("probability", 1.0)),
            times=None if times is None else int(times),
        )
        self.rules.append(rule)
        return rule

    def clear(self, number: int | None = None) -> None:
        self.rules = [rule for rule in self.rules if number not in {None, rule.number}]

    async def pick(self, call: Call) -> FaultRule | None:
        """Find the rule that strikes this call; count those that it passes."""
        account = call.request.match_info.get("account")
        action: str | None = None
        if call.route == "trade" and any(rule.action for rule in self.rules):
            action = str((await call.body()).get("actionType"))
        for rule in self.rules:
            if not rule.fits(call, account, action):
                continue
            rule.seen += 1
            if rule.seen < rule.nth or (rule.times is not None and rule.struck >= rule.times):
                continue
            if rule.probability < 1.0 and self._rng.random() >= rule.probability:
                continue
            rule.struck += 1
            return rule
        return None
