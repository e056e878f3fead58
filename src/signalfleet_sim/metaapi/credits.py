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

    The per-user sizes are for one deployed account and grow with the number of them.
    """

    costs: Mapping[str, float] = field(
        default_factory=lambda: {"trade": 10, "symbols": 500, "history-deals": 75, "credits": 0}
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


class _Bucket:
    __slots__ = ("ends_at", "used")

    def __init__(self) -> None:
        self.ends_at = 0.0
        self.used = 0.0


class Credits:
    def __init__(self, world: World, rules: CreditRules) -> None:
        self.rules = rules
        self._world = world
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def charge(self, call: Call) -> None:
        """Take the cost of a call from its buckets, or answer 429 and take nothing."""
        rules = self.rules
        cost = rules.costs.get(call.route, rules.other_cost)
        if cost and (rules.per_user or rules.per_account or rules.per_server):
            self._take(call, cost)

    def charge_deals(self, call: Call, deals: int) -> None:
        """Take what the length of an answer costs; an answer once made is never refused."""
        now = self._world.now()
        for scope, key, period, total in self._scopes(call):
            bucket = self._bucket(scope, key, period, now)
            bucket.used = min(total, bucket.used + deals * self.rules.deal_cost)

    def body(self, call: Call) -> dict[str, Any]:
        now = self._world.now()
        body: dict[str, Any] = {"perUser": [], "perAccount": [], "perServer": []}
        for scope, key, period, total in self._scopes(call):
            used = self._bucket(scope, key, period, now).used
            body[scope].append({"period": period, "total": total, "available": total - used})
        return body

    def drain(self, scope: str, key: str, share_left: float) -> None:
        """Leave only that share in the buckets of a scope (`perAccount` and an account id, ...)."""
        now = self._world.now()
        sizes = {
            "perUser": self.rules.per_user,
            "perAccount": self.rules.per_account,
            "perServer": self.rules.per_server,
        }
        for period, total in sizes[scope].items():
            self._bucket(scope, key, period, now).used = total * (1 - share_left)

    def _take(self, call: Call, cost: float) -> None:
        now = self._world.now()
        found = []
        for scope, key, period, total in self._scopes(call):
            bucket = self._bucket(scope, key, period, now)
            if bucket.used + cost > total:
                raise self._too_many(call, cost, scope, period, total, bucket)
            found.append(bucket)
        for bucket in found:
            bucket.used += cost

    def _scopes(self, call: Call) -> list[tuple[str, str, str, float]]:
        rules, account = self.rules, call.account
        user_id = account.user_id
        server = "" if rules.is_server_shared else user_id
        server += f"/{account.region}/{call.request.headers.get('client-id', '')}"
        return [
            *(
                ("perUser", user_id, period, total * self._world.count_of[user_id])
                for period, total in rules.per_user.items()
            ),
            *(
                ("perAccount", account.account_id, period, total)
                for period, total in rules.per_account.items()
            ),
            *(("perServer", server, period, total) for period, total in rules.per_server.items()),
        ]

    def _bucket(self, scope: str, key: str, period: str, now: float) -> _Bucket:
        bucket = self._buckets.get((scope, key, period))
        if bucket is None:
            bucket = self._buckets[scope, key, period] = _Bucket()
        if now >= bucket.ends_at:
            bucket.used = 0.0
            bucket.ends_at = now + _SECONDS[period]
        return bucket

    def _too_many(
        self, call: Call, cost: float, scope: str, period: str, total: float, bucket: _Bucket
    ) -> ApiError:
        left = max(1, round(bucket.ends_at - self._world.now() + 0.5))
        metadata = {
            "total": total,
            "available": max(0, total - bucket.used),
            "needed": cost,
            "resourceId": call.account.account_id,
            "exceededConfig": scope,
            "exceededPeriod": period,
            "recommendedRetryTime": iso_of(bucket.ends_at),
            "method": call.route,
        }
        return ApiError(
            429,
            f"You have used all your credits of {period}; wait until the recommended time",
            metadata=metadata,
            headers={"Retry-After": str(left)},
        )
