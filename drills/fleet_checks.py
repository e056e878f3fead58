"""What is right after each drill with several servers, and how it is told."""

from collections.abc import Mapping
from typing import Any, Final

from bench.report import Figure, Result
from drills.fleet_rig import FleetRig

MUST_BE_ZERO: Final = (
    *("legs_doubled", "legs_missing", "legs_given_up", "open_intents", "two_sockets"),
)


def is_clean(verdict: Mapping[str, Any]) -> bool:
    """Tell whether nothing was lost, doubled or left open, and no key had two connections."""
    return all(verdict[name] == 0 for name in MUST_BE_ZERO)


async def result_of(fleet: FleetRig, *, is_right: bool, figures: Mapping[str, Figure]) -> Result:
    """Stop all servers and compare with the simulators' books."""
    # What the stop itself finds just begun is for the next owner to end, and there is none.
    open_intents = await fleet.rig.open_intents()
    statuses = await fleet.stop_all()
    verdict = await fleet.verdict() | {"open_intents": open_intents}
    is_ok = is_right and is_clean(verdict) and not any(statuses)
    fleet.rig.keep = not is_ok
    return Result(
        ok=is_ok,
        figures={
            **figures,
            **verdict,
            "exit_statuses": " ".join(map(str, statuses)),
            "kept": str(fleet.rig.root) if fleet.rig.keep else None,
            "total_s": fleet.age_s(),
        },
    )
