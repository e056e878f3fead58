"""Change what is done with a channel's signals: on paper, copied, asked first, or not read."""

from dataclasses import replace
from datetime import datetime

import structlog

from signalfleet.app.exits import begin_exit
from signalfleet.app.paper_account import ensure_paper_account
from signalfleet.app.probation import begin_probation
from signalfleet.domain.accounts.copy_states import channel_scope
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import CopyMode, UserStore

log = structlog.get_logger()


async def set_channel_mode(
    store: UserStore, chat: ChannelId, mode: CopyMode, now: datetime
) -> None:
    """Set the mode of a channel that is read; ConflictError if it was changed at this moment.

    What is switched off is chosen again among all chats, where the plan is looked at.
    """
    channel = await store.channels.get(chat)
    if channel is None or channel.mode is CopyMode.OFF:
        raise RefusedError("choose the chat among your channels first")
    if channel.mode is mode:
        return
    # First the probation: without it the first signal would be traded in full.
    await begin_probation(store.settings, chat, now)
    await store.channels.put(replace(channel, mode=mode))
    if mode is CopyMode.OFF:
        await begin_exit(store, channel_scope(chat), ExitCause.CHANNEL, now)
    else:
        await ensure_paper_account(store)
    log.info("channel_mode_set", mode=mode.value)
