"""Writes to a store without end and says what was acknowledged; ended by SIGKILL."""

import asyncio
import sys
from dataclasses import replace

from kit.store_rows import CELL, ME, NOW, Rows, a_batch, a_post, a_profile
from signalfleet.adapters.sql import SqlStore
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import CopyOutcome, Settlement, TradeState

WORKERS = 8


def say(word: str, message: int) -> None:
    sys.stdout.write(f"{word} {message}\n")
    sys.stdout.flush()


def settled(message: int) -> Settlement:
    decision = Rows(user=ME).decision(message)
    return Settlement(
        intents=tuple(replace(one, state=IntentState.ACCEPTED) for one in decision.intents),
        trades=tuple(replace(one, state=TradeState.OPEN) for one in decision.trades),
        copies=tuple(replace(one, outcome=CopyOutcome.FILLED) for one in decision.copies),
    )


async def work(store: SqlStore, epoch: int, first: int) -> None:
    mine = store.user(ME)
    for message in range(first, sys.maxsize, WORKERS):
        await mine.inbox.add(a_batch(a_post(message)), NOW, epoch)
        say("added", message)
        await mine.journal.decide(Rows(user=ME).decision(message), epoch)
        say("decided", message)
        await mine.journal.settle(settled(message), epoch)
        say("settled", message)


async def main(path: str, first: int) -> None:
    store = await SqlStore.open(path, cell=CELL)
    await store.fleet.add_user(a_profile(ME))
    epoch = await claim_slots(store.fleet, CELL, [a_profile(ME).slot], "w1")
    async with asyncio.TaskGroup() as group:
        for number in range(WORKERS):
            group.create_task(work(store, epoch, first + number))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
