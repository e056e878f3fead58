"""Credits: what a call costs, and the buckets of a user, an account and a front-end server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from signalfleet_sim.metaapi.calls import Call
from signalfleet_sim.metaapi.errors import ApiError
from signalfleet_sim.metaapi.wire import iso_of
from signalfleet_sim.metaapi.world import World

_SECONDS: Final = {"1s": 1, "10s": 10, "60s": 60, "1m": 60, "1h": 3600, "6h": 21_600}


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditRules:
    """Costs by route and sizes of the buckets by period; an empty mapping means no limit.

    Candles cost nothing here: the market data host counts apart.

    The per-user sizes are for one deployed account and grow with the number of them.
    """

    costs: Mapping[str, float] = field(
        default_factory=lambda: {
            "trade": 10,
            "symbols": 500,
            "history-deals": 75,
            "credits": 0,
            "candles": 0,
        }
    )
    other_cost: float = 50
    deal_cost: float = 0.65
    per_user: Mapping[str, float] = field(
        default_factory=lambda: {"1s": 2_000, "60s": 18_000, "1h": 180_000, "6h": 432_000}
    )
    per_account: Mapping[str, float] = field(default_factory=lambda: {"10s": 5_000})
    per_server: Mapping[str, float] = field(default_factory=lambda: {"60s": 18_000})
    is_server_shared: bool = False
    """Whether all users of a region share a front-end server's bucket."""


NO_CREDIT_LIMITS: Final = CreditRules(per_user={}, per_account={}, per_server={})
PLENTY_OF_CREDITS: Final = CreditRules(
    per_user=dict.fromkeys(("1s", "60s", "1h", "6h"), 1e9),
    per_account={"10s": 1e9},
    per_server={"60s": 1e9},
)
"""Limits that are stated and never reached: without a word a careful client keeps its own guess."""


class _Bucket:
    __slots__ = ("ends_at", "period", "scope", "total", "used")

    def __init__(self, scope: str, period: str) -> None:
        self.scope = scope
        self.period = period
        self.total = 0.0
        self.ends_at = 0.0
        self.used = 0.0

    def at(self, now: float) -> "_Bucket":
        """Empty the bucket when its period is over."""
        if now >= self.ends_at:
            self.used = 0.0
            self.ends_at = now + _SECONDS[self.period]
        return self


class Credits:
    def __init__(self, world: World, rules: CreditRules) -> None:
        self.rules = rules
        self._world = world
        self._has_limits = bool(rules.per_user or rules.per_account or rules.per_server)
        self._buckets: dict[tuple[str, str], tuple[_Bucket, ...]] = {}
        self._of_caller: dict[tuple[str, str], tuple[int, tuple[_Bucket, ...]]] = {}

    def charge(self, call: Call) -> None:
        """Take the cost of a call from its buckets, or answer 429 and take nothing."""
        cost = self.rules.costs.get(call.route, self.rules.other_cost)
        if not cost or not self._has_limits:
            return
        now = self._world.now()
        found = self._find(call)
        for bucket in found:
            if bucket.at(now).used + cost > bucket.total:
                raise self._too_many(call, cost, bucket, now)
        for bucket in found:
            bucket.used += cost

    def charge_deals(self, call: Call, deals: int) -> None:
        """Take what the length of an answer costs; an answer once made is never refused."""
        now = self._world.now()
        for bucket in self._find(call):
            bucket.at(now)
            bucket.used = min(bucket.total, bucket.used + deals * self.rules.deal_cost)

    def body(self, call: Call) -> dict[str, Any]:
        now = self._world.now()
        body: dict[str, Any] = {"perUser": [], "perAccount": [], "perServer": []}
        for bucket in self._find(call):
            left = bucket.total - bucket.at(now).used
            line = {"period": bucket.period, "total": bucket.total, "available": left}
            body[bucket.scope].append(line)
        return body

    def drain(self, scope: str, key: str, share_left: float) -> None:
        """Leave only that share in the buckets of a scope (`perAccount` and an account id, ...)."""
        now = self._world.now()
        for bucket in self._kept(scope, key):
            bucket.at(now).used = bucket.total * (1 - share_left)

    def _find(self, call: Call) -> tuple[_Bucket, ...]:
        """Return the buckets that a call draws on; kept, as nothing but the user's share moves."""
        account, front = call.account, call.request.headers.get("client-id", "")
        accounts = self._world.count_of[account.user_id]
        known = self._of_caller.get((account.account_id, front))
        if known is not None and known[0] == accounts:
            return known[1]
        users = self._kept("perUser", account.user_id)
        for bucket in users:
            bucket.total = self.rules.per_user[bucket.period] * accounts
        server = "" if self.rules.is_server_shared else account.user_id
        server += f"/{account.region}/{front}"
        found = users + self._kept("perAccount", account.account_id)
        found += self._kept("perServer", server)
        self._of_caller[account.account_id, front] = accounts, found
        return found

    def _kept(self, scope: str, key: str) -> tuple[_Bucket, ...]:
        found = self._buckets.get((scope, key))
        if found is None:
            sizes = {
                "perUser": self.rules.per_user,
                "perAccount": self.rules.per_account,
                "perServer": self.rules.per_server,
            }[scope]
            found = tuple(_Bucket(scope, period) for period in sizes)
            for bucket in found:
                bucket.total = sizes[bucket.period]
            self._buckets[scope, key] = found
        return found

    def _too_many(self, call: Call, cost: float, bucket: _Bucket, now: float) -> ApiError:
        left = max(1, round(bucket.ends_at - now + 0.5))
        metadata = {
            "total": bucket.total,
            "available": max(0, bucket.total - bucket.used),
            "needed": cost,
            "resourceId": call.account.account_id,
            "exceededConfig": bucket.scope,
            "exceededPeriod": bucket.period,
            "recommendedRetryTime": iso_of(bucket.ends_at),
            "method": call.route,
        }
        return ApiError(
            429,
            f"You have used all your credits of {bucket.period}; wait until the recommended time",
            metadata=metadata,
            headers={"Retry-After": str(left)},
        )
