"""What is used up of a day's quotas, in Firebase."""

from dataclasses import dataclass

from signalfleet.adapters.firebase.client import Row
from signalfleet.adapters.firebase.database import Corner, whole
from signalfleet.domain.trading.records import QuotaUse


@dataclass(frozen=True, slots=True)
class FirebaseQuota:
    _corner: Corner

    async def reserve(self, kind: str, day: str, limit: int) -> int | None:
        return await count_up(self._corner, QuotaUse(kind=kind, day=day, count=1, limit=limit))

    async def give_back(self, kind: str, day: str) -> None:
        await count_down(self._corner, kind, day, 1)

    async def used(self, kind: str, day: str) -> int:
        return whole(await self._corner.row("quota", quota_key(day, kind)) or {}, "used")


async def count_up(corner: Corner, use: QuotaUse) -> int | None:
    """Count it, return what is used up then; None, and nothing counted, if it is too much."""
    counts: list[int | None] = []

    def counted(found: Row | None) -> Row | None:
        used = whole(found or {}, "used") + use.count
        counts.append(used if used <= use.limit else None)
        return {"used": used} if used <= use.limit else None

    await corner.change(("quota", quota_key(use.day, use.kind)), counted, as_worker=True)
    return counts[-1]


async def count_down(corner: Corner, kind: str, day: str, count: int) -> None:
    """Take back what was counted; never below nothing."""

    def given(found: Row | None) -> Row | None:
        used = whole(found or {}, "used")
        return {"used": max(used - count, 0)} if used > 0 else None

    await corner.change(("quota", quota_key(day, kind)), given, as_worker=True)


def quota_key(day: str, kind: str) -> str:
    return f"{day}_{kind}"
