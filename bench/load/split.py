"""When each stage of a signal's way was over, for all bots of the worker.

The product is not changed for it: the methods at which the stages end are wrapped in this process.
"""

import functools
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.app.execute_intent import ExecuteIntent
from signalfleet.app.execute_signal import ExecuteSignal
from signalfleet.app.handle_message import HandleMessage
from signalfleet.app.ingest_messages import IngestMessages

STAGES: Final[tuple[tuple[str, type, str], ...]] = (
    ("stored", IngestMessages, "run"),
    ("planned", ExecuteSignal, "plan"),
    ("claimed", HandleMessage, "run"),
    ("answered", MetaApiBroker, "submit"),
    ("settled", ExecuteIntent, "run"),
)


@dataclass(slots=True)
class Split:
    """Begin and end of each stage, in seconds since 1970."""

    spans: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def put_in(cls) -> "Split":
        split = cls()
        for stage, kind, method in STAGES:
            setattr(kind, method, split.watched(stage, getattr(kind, method)))
        return split

    def watched(
        self, stage: str, method: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        spans = self.spans[stage]

        @functools.wraps(method)
        async def run(*args: Any, **words: Any) -> Any:  # noqa: ANN401 - whatever it takes
            begun = time.time()
            try:
                return await method(*args, **words)
            finally:
                spans.append((begun, time.time()))

        return run

    def take(self) -> dict[str, list[tuple[float, float]]]:
        """Return what was seen since the last time."""
        found = {stage: list(spans) for stage, spans in self.spans.items()}
        for spans in self.spans.values():
            spans.clear()
        return found
