"""D11: Telegram is cut while signals, edits, deletions and follow-ups are posted."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from bench.report import Result
from drills.posts import Posted
from drills.rig import LEGS, Rig, open_rig
from drills.telegram_rig import Books, people, until, violations
from signalfleet.adapters.sql import SqlStore
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.ports.inbox import MessageState

ID: Final = "D11"
TITLE: Final = (
    "gaps of 30 s, 10 min, 8 h, TooLong, restart: no stale entry, every missed close done"
)
SEED: Final = 20_271
AGE_S: Final = 25
"""A signal may be so old; all that is posted in a gap is older, and so must not be opened."""
ANSWER_S: Final = 30
"""A doubtful call that was edited just now is a question; nobody answers, and it ends."""
AWAY_S: Final = 2.0
LIMIT_S: Final = 60.0
STALE: Final = "BUY EURUSD NOW\nSL 1.01\nTP1 1.31\nTP2 1.32"

Cut = Callable[[Rig, int, Callable[[], Awaitable[None]]], Awaitable[None]]


async def run() -> Result:
    """Open a trade for each gap; within the gap its close is posted, and what is stale by then."""
    begun = time.monotonic()
    async with open_rig(SEED) as rig:
        store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
        try:
            figures, is_ok = await _play(rig, Books(store))
        finally:
            await store.aclose()
        wrong = await violations(rig)
        status = await rig.stop()
        is_ok = is_ok and not wrong and status == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                **figures,
                "violations": "; ".join(wrong) or None,
                "exit_status_at_the_end": status,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _play(rig: Rig, books: Books) -> tuple[dict[str, Any], bool]:
    documents = books.of(rig.user).settings
    doc, version = await documents.get("user")
    wishes = {"max_signal_age": str(AGE_S), "approval_ttl": str(ANSWER_S)}
    await documents.put("user", {**doc, **wishes}, version)
    await rig.start()
    await until(lambda: _listens(rig), LIMIT_S)
    signals = [await rig.post_signal() for _ in GAPS]
    opened_s = await until(lambda: _has(rig, len(signals) * LEGS), LIMIT_S)
    times: dict[str, float | None] = {}
    missed: list[tuple[int, int]] = []
    for number, (name, (age_s, cut)) in enumerate(GAPS.items()):
        signal = signals[number]

        async def happen(signal: Posted = signal, age_s: float = age_s) -> None:
            missed.extend(await _post_stale(rig, signal, age_s))

        await cut(rig, signal.chat, happen)
        left = (len(signals) - number - 1) * LEGS
        times[name] = await until(lambda left=left: _has(rig, left), LIMIT_S)  # type: ignore[misc]
    stored_s = await until(lambda: _all_stored(books, rig, missed), LIMIT_S)
    entries = len(await rig.entries())
    figures = {
        "signals": len(signals),
        "all_open_s": opened_s,
        **{f"close_done_after_{name}_s": seconds for name, seconds in times.items()},
        "missed_messages": len(missed),
        "missed_all_recorded_s": stored_s,
        "stale_entries": entries - len(signals) * LEGS,
        "open_intents": await rig.open_intents(),
    }
    is_ok = (
        None not in (opened_s, stored_s, *times.values())
        and entries == len(signals) * LEGS
        and figures["open_intents"] == 0
    )
    return figures, is_ok


async def _post_stale(rig: Rig, signal: Posted, age_s: float) -> list[tuple[int, int]]:
    """Post what the gap hides: two entries, one of them edited, one deleted again, and a close."""
    chat, at = signal.chat, time.time() - age_s
    path = f"/telegram/channels/{chat}"

    async def post(text: str, **more: object) -> int:
        answer = await rig.city.ask("POST", f"{path}/post", {"text": text, "at": at, **more})
        return int(answer["message_id"])

    kept, gone = await post(STALE), await post(STALE.replace("EURUSD", "GBPUSD"))
    await rig.city.ask("POST", f"{path}/edit", {"message_id": kept, "text": f"{STALE}\nTP3 1.33"})
    await rig.city.ask("POST", f"{path}/delete", {"message_ids": [gone]})
    close = await post("Close it now", reply_to=signal.message)
    return [(chat, kept), (chat, close)]


# The gaps


async def _cut_off(rig: Rig, chat: int, happen: Callable[[], Awaitable[None]]) -> None:
    """Cut the socket and let nobody in for a while."""
    del chat
    await rig.break_telegram({"fault": "refuse", "seconds": AWAY_S})
    await rig.break_telegram({"fault": "cut"})
    await happen()


async def _too_long(rig: Rig, chat: int, happen: Callable[[], Awaitable[None]]) -> None:
    """Lose the updates, and answer the question for them with TooLong."""
    await rig.break_telegram({"fault": "channel", "channel": chat, "do": "hold"})
    await happen()
    await rig.break_telegram({"fault": "channel", "channel": chat, "do": "too_long"})
    await rig.break_telegram({"fault": "channel", "channel": chat, "do": "lose"})
    await rig.city.ask("POST", f"/telegram/channels/{chat}/service", {})


async def _restart(rig: Rig, chat: int, happen: Callable[[], Awaitable[None]]) -> None:
    """Kill the product, and start it when all has happened."""
    del chat
    await rig.kill()
    await happen()
    await asyncio.sleep(AWAY_S)
    await rig.start()


GAPS: Final[dict[str, tuple[float, Cut]]] = {
    "30s": (30.0, _cut_off),
    "10min": (600.0, _cut_off),
    "8h": (8 * 3600.0, _cut_off),
    "too_long": (600.0, _too_long),
    "restart": (600.0, _restart),
}
"""By name: how long ago the missed messages were posted, and what hides them."""


async def _listens(rig: Rig) -> bool:
    return bool((await people(rig))[rig.city.text("phone")]["listening"] == 1)


async def _has(rig: Rig, count: int) -> bool:
    return len(await rig.positions()) == count


async def _all_stored(books: Books, rig: Rig, missed: list[tuple[int, int]]) -> bool:
    """Tell whether every missed message is in the inbox and was decided on."""
    inbox = books.of(rig.user).inbox
    for chat, message in missed:
        revisions = await inbox.revisions(ChannelId(chat), MessageId(message))
        if not revisions or any(one.state is MessageState.NEW for one in revisions):
            return False
    return True
