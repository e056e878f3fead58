"""What is right after each drill with several servers, and how it is told."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.report import Figure, Result
from drills.fleet_rig import FleetRig

MUST_BE_ZERO: Final = (
    *("legs_doubled", "legs_missing", "legs_given_up", "open_intents", "two_sockets"),
)


def is_clean(verdict: Mapping[str, Any]) -> bool:
    """Tell whether nothing was lost, doubled or left open, and no key had two connections."""
    return all(verdict[name] == 0 for name in MUST_BE_ZERO)


async def result_of(
    fleet: FleetRig, *, is_right: bool, figures: Mapping[str, Figure], statuses: Sequence[int]
) -> Result:
    """Compare with the simulators' books; `statuses` are how the servers ended."""
    verdict = await fleet.verdict()
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
