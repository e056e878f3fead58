"""A cancellation is not lost on the way through the NATS library."""

import asyncio
from collections.abc import Callable

import nats.errors
import pytest

from signalfleet.adapters.nats.client import nats_errors


@pytest.mark.parametrize("ends", ["answer", "failure"])
async def test_it_ends_its_task_although_it_comes_together_with_the_answer(ends: str) -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    finish: dict[str, Callable[[], None]] = {
        "answer": lambda: answer.set_result(1),
        "failure": lambda: answer.set_exception(nats.errors.NoServersError()),
    }
    went_on = asyncio.Event()

    async def ask() -> None:
        with nats_errors("do something"):
            await asyncio.wait_for(answer, 10)
        went_on.set()

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    finish[ends]()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not went_on.is_set()


async def test_a_limit_of_time_within_is_no_cancellation() -> None:
    with nats_errors("do something"):
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
