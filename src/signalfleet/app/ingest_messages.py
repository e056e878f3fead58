"""Make what a user's Telegram brought durable."""

import structlog

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.trading.records import MessageKey
from signalfleet.ports.chat_source import ChatBatch

log = structlog.get_logger()


class IngestMessages:
    """Writes a batch to the inbox. When it returns, nothing of the batch can be lost."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk

    async def run(self, batch: ChatBatch) -> tuple[MessageKey, ...]:
        """Store the batch and return the revisions that were new."""
        now = self._desk.clock.now()
        keys = await self._desk.store.inbox.add(batch, now, self._desk.epoch)
        repeats = len(batch.items) - len(keys)
        if repeats > 0:
            self._desk.metrics.count("signalfleet_duplicate_deliveries_total", repeats)
        for key in keys:
            log.info(
                "message_stored", chat=key.chat, message=key.message, rev=key.rev, via=batch.origin
            )
        return keys
