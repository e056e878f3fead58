"""What is done beside the bots, off the hot path: backups, and sweeping away what is too old."""

import asyncio
from typing import Final

import structlog

from signalfleet.app.rotate_keys import users_of
from signalfleet.app.sweep import sweep_user
from signalfleet.bootstrap.backups import keep_backups
from signalfleet.bootstrap.platform import Platform
from signalfleet.bots.manager import UserBotManager
from signalfleet.ports.errors import PortError

log = structlog.get_logger()

SWEEP_EVERY_S: Final = 3600.0
FIRST_SWEEP_S: Final = 300.0
BETWEEN_USERS_S: Final = 0.05


async def keep_house(platform: Platform, manager: UserBotManager) -> None:
    """Run until cancelled. Of several workers one makes backups, and each sweeps its own users."""

    def is_first() -> bool:
        return manager.owns_slot(0)

    async with asyncio.TaskGroup() as tasks:
        backups = keep_backups(platform.settings, platform.clock, is_first)
        tasks.create_task(backups, name="backups")
        tasks.create_task(_sweep(platform, manager), name="sweep")


async def _sweep(platform: Platform, manager: UserBotManager) -> None:
    """Sweep own users again and again, one after the other and with pauses between them."""
    await asyncio.sleep(FIRST_SWEEP_S)
    while True:
        try:
            async for user in users_of(platform.store, platform.settings.cell):
                if not manager.owns(user):
                    continue
                await sweep_user(platform.store.user(user), platform.clock.now())
                await asyncio.sleep(BETWEEN_USERS_S)
        except PortError as error:
            log.warning("sweep_interrupted", kind=type(error).__name__)
        await asyncio.sleep(SWEEP_EVERY_S)
