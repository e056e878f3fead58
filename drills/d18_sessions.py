"""D18: Telegram ends sessions, each in another way; that user is told, nothing else suffers."""

import asyncio
import base64
import time
from typing import Any, Final

from bench.report import Result
from drills.rig import LEGS, Rig, open_rig
from drills.telegram_rig import (
    Books,
    Member,
    add_members,
    connects,
    people,
    positions,
    until,
    violations,
)
from signalfleet.adapters.sql import SqlStore
from signalfleet.adapters.telegram.session import StoredSession
from signalfleet.app.connect_telegram import SESSION_FIELD
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.ports.secrets import Secret

ID: Final = "D18"
TITLE: Final = "sessions revoked, duplicated, deactivated, flooded: only that user must sign in"
SEED: Final = 20_278
LIMIT_S: Final = 60.0
WATCH_S: Final = 8.0
FLOOD_S: Final = 300
DEATHS: Final[dict[str, dict[str, Any]]] = {
    "revoked": {"fault": "revoke", "notice": "cut"},
    "deactivated": {"fault": "revoke", "error": "USER_DEACTIVATED", "notice": "cut"},
    "unregistered": {"fault": "revoke", "error": "AUTH_KEY_UNREGISTERED", "notice": "cut"},
    "auth_key_duplicated": {"fault": "duplicate", "cut": True},
}
"""The reason that must be stored, and what makes it."""


async def run() -> Result:
    """End four sessions and flood a fifth, with open trades everywhere."""
    begun = time.monotonic()
    async with open_rig(SEED) as rig:
        members = await add_members(rig, [*DEATHS, "flooded", "bystander"])
        store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
        try:
            figures, is_ok = await _play(rig, Books(store), members)
        finally:
            await store.aclose()
        status = await rig.stop()
        is_ok = is_ok and status == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                **figures,
                "exit_status_at_the_end": status,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _play(rig: Rig, books: Books, members: dict[str, Member]) -> tuple[dict[str, Any], bool]:
    dead = [members[reason] for reason in DEATHS]
    others = [members["flooded"], members["bystander"]]
    everybody = [member.user for member in members.values()] + [rig.user]
    await rig.start()
    await until(lambda: _all_listen(rig, len(everybody)), LIMIT_S)
    await rig.post_signal()
    opened_s = await until(lambda: _all_have(books, everybody, LEGS), LIMIT_S)
    for reason, fault in DEATHS.items():
        await rig.break_telegram({**fault, "phone": members[reason].phone})
    await rig.break_telegram(
        {"fault": "flood", "method": "*", "seconds": FLOOD_S, "phone": members["flooded"].phone}
    )
    told_s = await until(
        lambda: books.is_in(BotState.SIGN_IN_NEEDED, *(one.user for one in dead)), LIMIT_S
    )
    reasons = [(await books.status(members[reason].user)).reason for reason in DEATHS]
    before = await connects(rig)
    await asyncio.sleep(WATCH_S)
    reconnects = await connects(rig) - before
    sockets = sum([(await people(rig))[one.phone]["sockets"] for one in dead])
    # A second signal: only those whose Telegram lives can copy it, and they must.
    await rig.post_signal()
    second_s = await until(
        lambda: _all_have(books, [one.user for one in others], 2 * LEGS), LIMIT_S
    )
    looked_after_s = await _close_by_market(rig, books, dead)
    copies_of_dead = [len(await books.live(one.user)) for one in dead]
    again_s = await _sign_in_again(rig, books, members["revoked"])
    wrong = await violations(rig)
    figures = {
        "users": len(everybody),
        "all_trades_open_s": opened_s,
        "sign_in_needed_s": told_s,
        "reasons": " ".join(str(reason) for reason in reasons),
        "reconnects_afterwards": reconnects,
        "sockets_of_the_dead": sockets,
        "others_copied_on_s": second_s,
        "stop_loss_noticed_without_telegram_s": looked_after_s,
        "trades_left_of_the_dead": sum(copies_of_dead),
        "signed_in_again_s": again_s,
        "violations": "; ".join(wrong) or None,
    }
    is_ok = (
        None not in (opened_s, told_s, second_s, looked_after_s, again_s)
        and reasons == list(DEATHS)
        and reconnects == 0
        and sockets == 0
        and sum(copies_of_dead) == 0
        and await books.is_in(BotState.RUNNING, rig.user, *(one.user for one in others))
        and not wrong
    )
    return figures, is_ok


async def _all_listen(rig: Rig, count: int) -> bool:
    listening: int = sum(one["listening"] for one in (await people(rig)).values())
    return listening >= count


async def _all_have(books: Books, users: list[Any], legs: int) -> bool:
    return all([len(await books.live(user)) >= legs for user in users])


async def _close_by_market(rig: Rig, books: Books, dead: list[Member]) -> float | None:
    """Let the price run through the stops and see whether the product takes note of it."""
    held = (await positions(rig, dead[0].account))[0]
    symbol, stop = held["symbol"], float(held["stopLoss"])
    sign = -1 if held["type"] == "POSITION_TYPE_BUY" else 1
    await rig.city.ask_broker(
        "/control/jump", {"symbol": symbol, "target": f"{stop * (1 + sign * 0.001):.5f}"}
    )
    return await until(lambda: _none_left(books, dead), LIMIT_S)


async def _none_left(books: Books, dead: list[Member]) -> bool:
    return not any([await books.live(one.user) for one in dead])


async def _sign_in_again(rig: Rig, books: Books, member: Member) -> float | None:
    """Give the user a new session, as the sign-in does, and wake the bot by its wish."""
    made = await rig.city.ask("POST", "/telegram/sessions", {"phone": member.phone})
    stored = StoredSession(
        dc=made["dc"],
        host=made["host"],
        port=made["port"],
        key=base64.b64decode(made["key"]),
        telegram_user_id=(await people(rig))[member.phone]["user_id"],
    )
    await books.keep_secret(rig, member.user, SESSION_FIELD, Secret(stored.dump()))
    await books.of(member.user).bot.set_wish(on=True, by="drill")
    return await until(lambda: books.is_in(BotState.RUNNING, member.user), LIMIT_S)
