"""Who presses Start at the operator's bot gets the notices of the user whose link it was."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.app.notice_targets import NoticeTargets, OneUse
from signalfleet.domain.accounts.delivery import TargetKind
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError, TemporaryError
from signalfleet.ports.messenger import LinkBot, Started
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Store

log = structlog.get_logger()

TELEGRAM_WORD: Final = OneUse(scope="notify:telegram-word", life=timedelta(minutes=15), tries=5)
PAUSE_S: Final = 5.0
BETWEEN: Final = timedelta(seconds=0.5)
LONGEST_PAUSE_S: Final = 60.0
_WORD: Final = re.compile(r"([0-9a-z]{16,26})-([A-Za-z0-9_-]{22,40})", re.ASCII)
CONNECTED: Final = (
    "Connected. SignalFleet writes to you here from now on. What you are told, and when, is your "
    "choice under Notices, Settings."
)
UNKNOWN: Final = (
    "To get your notices here, open SignalFleet, choose Notices, then Settings, and press Connect "
    "Telegram. A link works once and for 15 minutes."
)


def word_for(user: UserId, proof: str) -> str:
    """Make the word of a link, at most 64 letters: whose it is, and what proves it."""
    return f"{user.removeprefix('u_')}-{proof}"


class NoticeLinks:
    """Asks the bot who has started it; of all processes the one that `asks` does so."""

    def __init__(
        self,
        *,
        bot: LinkBot,
        store: Store,
        clock: Clock,
        targets: NoticeTargets,
        asks: Callable[[], bool],
        changed: Callable[[UserId], None],
    ) -> None:
        self._bot = bot
        self._store = store
        self._clock = clock
        self._targets = targets
        self._asks = asks
        self._changed = changed

    async def run(self) -> None:
        """Ask until cancelled."""
        pause = PAUSE_S
        while True:
            if not self._asks():
                await self._clock.sleep(timedelta(seconds=PAUSE_S))
                continue
            try:
                found = await self._bot.starts()
            except TemporaryError as error:
                log.warning("bot_unreachable", cause=str(error))
                wait = max(pause, error.retry_after or 0.0)
                await self._clock.sleep(timedelta(seconds=wait))
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            pause = PAUSE_S
            for one in found:
                await self.take(one)
            # A server that does not wait with its answer must not make this spin.
            await self._clock.sleep(BETWEEN)

    async def take(self, started: Started) -> None:
        """Link the chat if the word is right, and say there what happened."""
        found = _WORD.fullmatch(started.word)
        is_linked = False
        if found is not None:
            try:
                is_linked = await self._link(UserId(f"u_{found[1]}"), found[2], started)
            except DomainError:
                is_linked = False
            except PortError as error:
                log.warning("link_not_stored", cause=type(error).__name__)
        await self._bot.answer(started.chat, CONNECTED if is_linked else UNKNOWN)

    async def _link(self, user: UserId, proof: str, started: Started) -> bool:
        store = self._store.user(user)
        now = self._clock.now()
        if not await TELEGRAM_WORD.take(store, proof, now):
            return False
        target = Secret(str(started.chat))
        await self._targets.link(user, TargetKind.TELEGRAM, target, started.name, now)
        self._changed(user)
        return True
