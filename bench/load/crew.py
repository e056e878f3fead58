"""Processes of the same kind that are asked as one: their answers are put together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import IO, Any, Final

from bench.load.pipe import Facts, Other, other

NOT_SUMMED: Final = frozenset({"at", "drain_s"})
"""Of moments and lengths of time the last and the longest counts."""


class Crew:
    """`facts` is what all of them said first."""

    def __init__(self, members: Sequence[Other]) -> None:
        self._members = members
        self.facts = together([member.facts for member in members])

    async def ask(self, do: str, *, limit_s: float = 60.0, **words: Any) -> Facts:  # noqa: ANN401 - JSON
        """Ask all at once and wait for all; RuntimeError if one has ended."""
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(member.ask(do, limit_s=limit_s, **words))
                for member in self._members
            ]
        return together([one.result() for one in asked])


@asynccontextmanager
async def crew(
    module: str, arguments: Sequence[Sequence[str]], *, log: IO[bytes] | None = None
) -> AsyncIterator[Crew]:
    """Start `python -m module` once for each list of arguments; all end with the block."""
    async with AsyncExitStack() as stack:
        yield Crew(
            [await stack.enter_async_context(other(module, one, log=log)) for one in arguments]
        )


def together(answers: Sequence[Facts]) -> Facts:
    """Return one answer of several: numbers are added, lists joined, what is inside likewise."""
    names = {name: None for answer in answers for name in answer}
    return {
        name: _joined(name, [answer[name] for answer in answers if name in answer])
        for name in names
    }


def _joined(name: str, values: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON
    first = values[0]
    if len(values) == 1 or isinstance(first, str):
        return first
    if isinstance(first, dict):
        return together(values)
    if isinstance(first, list):
        return [one for value in values for one in value]
    return max(values) if name in NOT_SUMMED else sum(values)
