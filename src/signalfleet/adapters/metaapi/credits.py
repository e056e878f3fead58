"""Credits as far as we know them: what was spent, what the service said, and who must wait.

Each bucket counts over a sliding period, which is never less than what any fixed window of the
service can have seen. What the service states replaces our own guess.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.lanes import Lane
from signalfleet.ports.secrets import Secret

_PERIOD: Final = re.compile(r"(\d{1,6})([smhd])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SLOTS: Final = 20
_SHARES: Final = {Lane.PROTECTIVE: 0.0, Lane.LOOK: 0.0, Lane.ENTRY: limits.ENTRY_SHARE}


def period_s(text: str) -> int | None:
    """Read a period such as 1s, 4m or 6h."""
    found = _PERIOD.fullmatch(text)
    return int(found[1]) * _UNIT_S[found[2]] if found else None


class Bucket:
    """What may be spent within one period. A slot of it counts until it is wholly over."""

    __slots__ = ("_over_at", "_slot_s", "_slots", "_spent", "period", "total")

    def __init__(self, period: int, total: float) -> None:
        self.period = period
        self.total = total
        self._slot_s = period / _SLOTS
        self._slots: list[list[float]] = []
        self._spent = 0.0
        self._over_at = math.inf

    def spend(self, now: float, cost: float) -> None:
        slot = now // self._slot_s
        slots = self._slots
        if slots and slots[-1][0] == slot:
            slots[-1][1] += cost
        else:
            slots.append([slot, cost])
            self._over_at = min(self._over_at, (slots[0][0] + 1) * self._slot_s + self.period)
        self._spent += cost

    def left(self, now: float) -> float:
        if now >= self._over_at:
            self._forget(now)
        return self.total - self._spent

    def _forget(self, now: float) -> None:
        slots = self._slots
        while slots and (slots[0][0] + 1) * self._slot_s <= now - self.period:
            self._spent -= slots.pop(0)[1]
        if slots:
            self._over_at = (slots[0][0] + 1) * self._slot_s + self.period
        else:
            self._over_at = math.inf
            self._spent = 0.0  # Sums of fractions do not come back to nothing by themselves.

    def share(self, now: float) -> float:
        return max(0.0, self.left(now) / self.total) if self.total > 0 else 1.0

    def learn(self, now: float, total: float, available: float) -> None:
        """Take the service's word; what others spent counts as spent now."""
        self.total = total
        self._slots.clear()
        self._spent = 0.0
        self._over_at = math.inf
        if available < total:
            self.spend(now, total - available)


class Scope:
    """The buckets of one user, account or server, and until when the service wants no calls."""

    __slots__ = ("blocked_until", "buckets")

    def __init__(self, sizes: Mapping[str, float]) -> None:
        self.blocked_until = 0.0
        self.buckets: dict[int, Bucket] = {}
        for text, total in sizes.items():
            self.resize(text, total)

    def resize(self, text: str, total: float) -> Bucket | None:
        seconds = period_s(text)
        if seconds is None:
            return None
        bucket = self.buckets.get(seconds)
        if bucket is None:
            bucket = self.buckets[seconds] = Bucket(seconds, total)
        bucket.total = total
        return bucket


@dataclass(frozen=True, slots=True)
class Wait:
    """A call should wait for so many seconds; `asked` when the service itself said so."""

    seconds: float
    asked: bool


class TokenCredits:
    """What all accounts of one token share. `accounts` are those that we have met."""

    def __init__(self) -> None:
        self.user = Scope(limits.USER_CREDITS)
        self.servers: dict[str, Scope] = {}
        self.accounts: dict[str, Scope] = {}
        self.asked_at: float | None = None
        self._is_told = False

    def account(self, account_id: str) -> Scope:
        scope = self.accounts.get(account_id)
        if scope is None:
            scope = self.accounts[account_id] = Scope(limits.ACCOUNT_CREDITS)
            if not self._is_told:
                for text, total in limits.USER_CREDITS.items():
                    self.user.resize(text, total * len(self.accounts))
        return scope

    def server(self, region: str) -> Scope:
        scope = self.servers.get(region)
        if scope is None:
            scope = self.servers[region] = Scope(limits.SERVER_CREDITS)
        return scope

    def told(self) -> None:
        """The service stated the user's sizes itself: they are not guessed any more."""
        self._is_told = True


class AccountCredits:
    """One account's view of the buckets that its calls draw on."""

    def __init__(self, token: TokenCredits, account_id: str) -> None:
        self._token = token
        self._account = token.account(account_id)

    def wait(self, lane: Lane, cost: float, region: str, now: float) -> Wait | None:
        """Return how long a call of this lane should wait, None if it may go.

        Entries leave a share of each bucket untouched. Others are stopped by nothing but the
        service's own word: our count is a guess, and a refusal costs less than a late stop.
        """
        scopes = self._scopes(region)
        blocked = max(scope.blocked_until for scope in scopes)
        if blocked > now:
            return Wait(blocked - now, asked=True)
        share = _SHARES[lane]
        if not share:
            return None
        for scope in scopes:
            for bucket in scope.buckets.values():
                if bucket.left(now) - cost < share * bucket.total:
                    return Wait(bucket.period / _SLOTS, asked=False)
        return None

    def spend(self, cost: float, region: str, now: float) -> None:
        for scope in self._scopes(region):
            for bucket in scope.buckets.values():
                bucket.spend(now, cost)

    def share(self, region: str, now: float) -> float:
        """Return what is left of the emptiest bucket, from 0 to 1."""
        return min(
            (b.share(now) for s in self._scopes(region) for b in s.buckets.values()), default=1.0
        )

    def refused(
        self, metadata: Mapping[str, object] | None, wait_s: float, region: str, now: float
    ) -> None:
        """Take in a 429: the scope that it names, else this account, is left in peace till then."""
        said = metadata or {}
        scope = self._named(str(said.get("exceededConfig")), region) or self._account
        scope.blocked_until = max(scope.blocked_until, now + wait_s)
        total, available = said.get("total"), said.get("available")
        if isinstance(total, int | Decimal) and isinstance(available, int | Decimal) and total > 0:
            if bucket := scope.resize(str(said.get("exceededPeriod")), float(total)):
                bucket.learn(now, float(total), max(0.0, float(available)))
            if scope is self._token.user:
                self._token.told()

    def wants_facts(self, now: float) -> bool:
        """Tell whether it is time to ask the service: at first, and then every few minutes.

        A process that has just started does not know what the one before it has spent.
        """
        asked_at = self._token.asked_at
        return asked_at is None or now - asked_at >= limits.CREDITS_ASKED_EVERY_S

    def asking(self, now: float) -> None:
        self._token.asked_at = now

    def learn(self, payload: object, region: str, now: float) -> None:
        """Take in the answer of `A/credits`, in its present and its older form."""
        if not isinstance(payload, dict):
            return
        for name, lines in payload.items():
            scope = self._named(name, region)
            if scope is None or not isinstance(lines, list):
                continue
            for line in lines:
                if isinstance(line, dict) and (stated := _stated(line)) is not None:
                    period, total, available = stated
                    if bucket := scope.resize(period, total):
                        bucket.learn(now, total, available)
                    if scope is self._token.user:
                        self._token.told()

    def _scopes(self, region: str) -> tuple[Scope, Scope, Scope]:
        return self._token.user, self._account, self._token.server(region)

    def _named(self, name: str, region: str) -> Scope | None:
        match name:
            case "perUser" | "perDeployedAccounts":
                return self._token.user
            case "perAccount":
                return self._account
            case "perServer" | "perUserOnServer":
                return self._token.server(region)
            case _:
                return None


class CreditBook:
    """The credits of all tokens of the process; tokens are known by their digests only."""

    def __init__(self) -> None:
        self._tokens: dict[bytes, TokenCredits] = {}

    def of(self, token: Secret, account_id: str) -> AccountCredits:
        digest = hashlib.blake2b(token.reveal().encode(), digest_size=16).digest()
        kept = self._tokens.pop(digest, None) or TokenCredits()
        while len(self._tokens) >= limits.TOKENS_KEPT:  # The one that was met longest ago.
            del self._tokens[next(iter(self._tokens))]
        self._tokens[digest] = kept
        return AccountCredits(kept, account_id)


def _stated(line: Mapping[str, object]) -> tuple[str, float, float] | None:
    """Return period, total and what is available; the older form names them otherwise."""
    period, total, available = line.get("period"), line.get("total"), line.get("available")
    if "periodInSeconds" in line:
        period = f"{line['periodInSeconds']}s"
        total, available = line.get("creditsAvailable"), line.get("creditsLeft")
    if not isinstance(total, int | Decimal) or not isinstance(available, int | Decimal):
        return None
    if not isinstance(period, str) or total <= 0:
        return None
    return period, float(total), min(float(total), max(0.0, float(available)))
