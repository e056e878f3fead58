"""Show what a user's plan allows and how much of it is used, and give the user another plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from signalfleet.app.audit import note
from signalfleet.app.quotas import used_of_plan
from signalfleet.app.watch_losses import zone_named
from signalfleet.domain.accounts.tiers import TIERS, UserQuota, limits_of
from signalfleet.domain.ids import UserId
from signalfleet.domain.risk.facts import Allowance
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import Store, UserProfile

log = structlog.get_logger()

OPERATOR_ACTOR: Final = "operator"
NOBODY: Final = "there is no such user"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanUse:
    """`used` is by the code of the guard that refuses when it is used up."""

    profile: UserProfile
    limits: UserQuota
    used: Mapping[str, Allowance]


async def plan_use(store: Store, clock: Clock, user: UserId, least: UserQuota) -> PlanUse:
    """`least` is what the operator gives to everybody, whatever their plan."""
    profile = await store.fleet.get_user(user)
    if profile is None:
        raise RefusedError(NOBODY)
    limits = limits_of(profile.tier).at_least(least)
    today = clock.now().astimezone(zone_named(profile.timezone)).date()
    used = await used_of_plan(store.user(user), limits, today.isoformat())
    return PlanUse(profile=profile, limits=limits, used=used)


async def change_tier(store: Store, clock: Clock, user: UserId, tier: str) -> bool:
    """Give the user this plan; False if it is theirs already. The bot sees it by itself."""
    if tier not in TIERS:
        raise RefusedError(f"there is no plan {tier!r}; there are {', '.join(TIERS)}")
    profile = await store.fleet.get_user(user)
    if profile is None:
        raise RefusedError(NOBODY)
    if profile.tier == tier:
        return False
    await store.fleet.set_tier(user, tier)
    facts = {"before": profile.tier, "after": tier}
    await note(store.user(user), clock, OPERATOR_ACTOR, "tier_changed", **facts)
    log.info("tier_changed", user_id=user, **facts)
    return True
