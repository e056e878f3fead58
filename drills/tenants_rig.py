"""What drills about noisy tenants share: a channel of one's own, and how long others wait."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from drills.posts import Posted
from drills.rig import LEGS, Rig
from drills.telegram_rig import Member, add_members, until
from signalfleet.adapters.sql import SqlStore
from signalfleet.domain.ids import UserId
from signalfleet.ports.store import UserStore

ARRIVE_S: Final = 20.0
OPEN_SIGNALS: Final = 4
MS: Final = 1000
WORSE_MAX: Final = 1.5
FLOOD_STEP_S: Final = 0.02
"""In short steps: the simulator does nothing else while it posts one."""
P99: Final = 0.99
P50: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """The rig's own user and a quiet one read the same channels, the loud one a channel alone."""

    rig: Rig
    quiet: Member
    loud: Member
    noise: int
    store: SqlStore

    def of(self, user: UserId) -> UserStore:
        return self.store.user(user)

    async def noise_of(self, text: str, times: int = 1, *, channel: int | None = None) -> int:
        """Post in the loud one's channel, or in another; return the id of the last post."""
        body, chat = {"text": text, "times": times}, channel or self.noise
        answer = await self.rig.city.ask("POST", f"/telegram/channels/{chat}/post", body)
        return int(answer["message_id"])

    async def empty_channel(self) -> int:
        """Return a new channel that nobody reads."""
        answer = await self.rig.city.ask("POST", "/telegram/channels", {"title": "Empty"})
        return int(answer["id"])

    async def told(self, user: UserId, kind: str) -> int:
        """Count the notices of a kind."""
        return sum(one.notice.kind.value == kind for one in await self.of(user).notices.recent(200))

    async def latencies(self, signals: int, every_s: float) -> "Latencies":
        """Post signals; measure from the post to the order in the broker's book, in each account.

        The rig's own account and the quiet one's count. What was opened is closed again after a
        few signals more, so that each is measured with as many open trades.
        """
        posts: list[tuple[Posted, float]] = []
        for number in range(signals):
            asked = time.time()
            posts.append((await self.rig.post_signal(), asked))
            await asyncio.sleep(every_s / 2)
            if number >= OPEN_SIGNALS:
                await self.rig.reply(posts[number - OPEN_SIGNALS][0], "Close now")
            await asyncio.sleep(every_s / 2)
        accounts = (self.rig.city.text("metaapi_account"), self.quiet.account)
        wanted = len(posts) * LEGS * len(accounts)
        found: list[float] = []

        async def all_there() -> bool:
            book = await self.rig.entries()
            found[:] = [
                order["receivedAt"] - asked
                for order in book
                if order["account"] in accounts
                for post, asked in posts
                if post.is_entry(order)
            ]
            return len(found) >= wanted

        await until(all_there, ARRIVE_S)
        await self._close([post for post, _ in posts[-OPEN_SIGNALS:]])
        return Latencies(seconds=tuple(sorted(found)), missing=wanted - len(found))

    async def _close(self, posts: Sequence[Posted]) -> None:
        for post in posts:
            await self.rig.reply(post, "Close now")

        async def all_closed() -> bool:
            return not await self.rig.positions()

        await until(all_closed, ARRIVE_S)

    def log(self) -> list[dict[str, Any]]:
        """Return what the product has logged since it was started first."""
        lines = (self.rig.root / "product.log").read_text("utf-8", "replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str, **facts: object) -> int:
        """Count the lines of the log with these facts."""
        wanted = {"event": event, **facts}
        return sum(wanted.items() <= line.items() for line in self.log())


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    seconds: tuple[float, ...] = ()
    missing: int = 0

    def with_those_of(self, other: "Latencies") -> "Latencies":
        """Return both as if they had been measured together."""
        seconds = tuple(sorted((*self.seconds, *other.seconds)))
        return Latencies(seconds=seconds, missing=self.missing + other.missing)

    def at(self, share: float) -> float:
        """Return the time that this share of them stays within, in milliseconds."""
        if not self.seconds:
            return float("inf")
        place = min(int(len(self.seconds) * share), len(self.seconds) - 1)
        return round(self.seconds[place] * MS, 1)

    def figures(self, name: str) -> dict[str, float | int]:
        return {
            f"{name}_p50_ms": self.at(P50),
            f"{name}_p99_ms": self.at(P99),
            f"{name}_orders": len(self.seconds),
            f"{name}_missing": self.missing,
        }


def is_not_worse(calm: Latencies, loud: Latencies) -> bool:
    """Tell whether the others' slowest came in about the time that they need anyhow."""
    return loud.at(P99) <= WORSE_MAX * calm.at(P99)


@asynccontextmanager
async def tenants(rig: Rig, channels_of_loud: Sequence[int] = ()) -> AsyncIterator[Tenants]:
    """Add a quiet and a loud user to the rig; the product is stopped."""
    members = await add_members(rig, ["Quiet"])
    answer = await rig.city.ask("POST", "/telegram/channels", {"title": "Noise"})
    noise = int(answer["id"])
    channels = {"noise": noise, **{str(chat): chat for chat in channels_of_loud}}
    elsewhere = replace(rig, city=replace(rig.city, facts={**rig.city.facts, "channels": channels}))
    loud = (await add_members(elsewhere, ["Loud"], first=len(members)))["Loud"]
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    try:
        yield Tenants(rig=rig, quiet=members["Quiet"], loud=loud, noise=noise, store=store)
    finally:
        await store.aclose()


@asynccontextmanager
async def flood(all_of: Tenants, channel: int, text: str, per_s: float) -> AsyncIterator[list[int]]:
    """Post in a channel so many times a second, until the block ends."""
    sent = [0]

    async def pour() -> None:
        each = max(round(per_s * FLOOD_STEP_S), 1)
        start = time.monotonic()
        while True:
            await all_of.noise_of(f"{text} {sent[0]}", each, channel=channel)
            sent[0] += each
            ahead = start + sent[0] / per_s - time.monotonic()
            await asyncio.sleep(max(ahead, 0))

    async with asyncio.TaskGroup() as tasks:
        pouring = tasks.create_task(pour())
        try:
            yield sent
        finally:
            pouring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([pouring])
