"""Which desk answers a question about a user; questions reach the owner of the user's slot."""

from collections.abc import Mapping
from typing import Final

from signalfleet.ports.bus import Answerer, Plain
from signalfleet.ports.errors import RefusedError

DESK: Final = "desk"


class Questions:
    """Desks by their names. Each is added when it is made, before anybody asks."""

    def __init__(self) -> None:
        self._desks: dict[str, Answerer] = {}

    def add(self, desks: Mapping[str, Answerer]) -> None:
        self._desks.update(desks)

    async def answer(self, question: Plain) -> Plain:
        """Let the desk that is meant answer."""
        desk = self._desks.get(str(question.get(DESK)))
        if desk is None:
            raise RefusedError("this server has nobody who can do this; ask whoever runs it")
        return await desk(question)
