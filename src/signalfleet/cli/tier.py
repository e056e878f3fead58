"""`signalfleet tier`: what a user's plan allows, and another plan."""

from typing import Final

import typer

from signalfleet.app.change_tier import PlanUse, change_tier, plan_use
from signalfleet.app.exits import exit_policy_of
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.cli.copying_states import SEEN
from signalfleet.cli.printing import printable
from signalfleet.domain.accounts.exits import POLICY_WORDS
from signalfleet.domain.accounts.tiers import limits_of
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.ports.errors import RefusedError

ROWS: Final = {
    "quota_trades_per_day": "Trades a day",
    "quota_channels": "Channels that are read",
    "quota_open_positions": "Open trades",
}


async def tier(settings: Settings, given: str, wanted: str | None) -> int:
    """Show the plan and its use; with `wanted` change it first and say what that does."""
    try:
        user = UserId(given)
    except DomainError as error:
        raise RefusedError(str(error)) from None
    clock, least = SystemClock(), limits_of(settings.least_tier)
    async with open_store(settings) as store:
        before = await plan_use(store, clock, user, least)
        is_changed = False
        if wanted is not None:
            is_changed = await change_tier(store, clock, user, wanted.strip().upper())
        after = await plan_use(store, clock, user, least)
        policy = await exit_policy_of(store.user(user), None)
    name = printable(after.profile.display_name)
    if is_changed:
        typer.echo(f"{name}: {before.profile.tier} -> {after.profile.tier}")
    else:
        already = "" if wanted is None else " already; nothing was changed"
        typer.echo(f"{name}: {printable(after.profile.tier)}{already}")
    for line in (*_limits(before, after), *_over(after, policy)):
        typer.echo(line)
    if after.limits != limits_of(after.profile.tier):
        least_tier = settings.least_tier
        typer.echo(f"Everybody here may do at least what {least_tier} allows: see MIN_TIER.")
    if is_changed:
        typer.echo(SEEN)
    return 0


def _limits(before: PlanUse, after: PlanUse) -> list[str]:
    lines = []
    for code, label in ROWS.items():
        old, new = before.used[code].limit, after.used[code].limit
        was = f", before {old}" if old != new else ""
        lines.append(f"  {label + ':':24} {after.used[code].used} of {new}{was}")
    return lines


def _over(after: PlanUse, policy: ExitPolicy) -> list[str]:
    """Say what is more than the plan allows, and what becomes of it."""
    trades, channels, positions = (after.used[code] for code in ROWS)
    lines = []
    if channels.used > channels.limit:
        many = channels.used - channels.limit
        lines += [
            f"{channels.used} channels are read: switch {many} off, nothing is copied until then.",
            f"Open trades until then: {POLICY_WORDS[policy]}.",
        ]
    if positions.used > positions.limit:
        lines.append(
            f"{positions.used} trades are open: none is opened until fewer than "
            f"{positions.limit} are left. The plan closes none."
        )
    if trades.used > trades.limit:
        lines.append("Today's trades are used up: the next is copied tomorrow.")
    return lines
