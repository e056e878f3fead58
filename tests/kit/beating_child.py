"""A child as the supervisor starts them, that beats and does what its first word says."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from signalfleet.bootstrap.heartbeat import Beat


async def live(word: str, log: Path, beat: Beat) -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    if word == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        loop.add_signal_handler(signal.SIGTERM, over.set)
    async with asyncio.TaskGroup() as tasks:
        beating = tasks.create_task(beat.run())
        await asyncio.sleep(0)
        with log.open("a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
        if word == "die":
            os._exit(3)
        if word == "hang":
            await asyncio.sleep(0.2)
            time.sleep(60)  # noqa: ASYNC251 - a loop that stands still
        await over.wait()
        beating.cancel()
    if word == "slow":
        await asyncio.sleep(2 * float(sys.argv[3]))
        with log.open("a", encoding="ascii") as file:
            file.write("0\n")


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], Path(sys.argv[2]), Beat(sys.argv[-1], float(sys.argv[3]))))
