"""D17: the keys that protect credentials change, retire and go away while bots trade."""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final

import aiohttp

from bench.report import Figure, Result
from drills.operator import command
from drills.rig import Rig, open_rig
from drills.vault import LoopbackVault, open_vault
from signalfleet.adapters.secrets import (
    FernetKeyService,
    SecureCredentialStore,
    VaultKeyService,
    VaultSettings,
)
from signalfleet.adapters.sql import SqlStore
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import BotStatus

ID: Final = "D17"
TITLE: Final = "keys rotated and retired under load, key service down: no failed use, fail closed"
SEED: Final = 20_277
SIGNALS: Final = 4
LIMIT_S: Final = 60.0
OPENED: Final = re.compile(r'signalfleet_key_unwraps_total\{outcome="(\w+)"\} ([0-9.]+)')


async def run() -> Result:
    """Rotate and retire the local key under load, then run over a Vault that goes away."""
    begun = time.monotonic()
    async with open_rig(SEED) as rig:
        rotated = await _rotate(rig)
        away = await _without_key_service(rig)
        is_ok = all(value for name, value in (rotated | away).items() if name.startswith("is_"))
        rig.keep = not is_ok
        figures = rotated | away | {"total_s": round(time.monotonic() - begun, 1)}
        return Result(ok=is_ok, figures=figures | {"kept": str(rig.root) if rig.keep else None})


async def _rotate(rig: Rig) -> dict[str, Figure]:
    """Add, rewrap and retire with the commands, while signals are posted and bots restart."""
    old = rig.environment.pop("ENCRYPTION_KEY")
    path = rig.root / "encryption.keys"
    path.touch(mode=0o600)
    path.write_text(old, encoding="ascii")
    rig.environment["ENCRYPTION_KEY_FILE"] = str(path)
    await rig.start()
    await rig.until_live()
    pid = rig.process.pid if rig.process else 0
    statuses: list[int] = []
    early_retire = 0
    old_id = (await FernetKeyService(Secret(old)).versions())[0]
    for step in ("add", "rewrap", "status"):
        await rig.post_signal()
        statuses.append(await command(rig, "keys", step))
        if step == "add":
            early_retire = await command(rig, "keys", "retire", old_id)
        await _restart_bot(rig)
    statuses.append(await command(rig, "keys", "retire", old_id))
    await _restart_bot(rig)
    await rig.post_signal()
    is_settled = await rig.until_settled(LIMIT_S)
    unwraps = await _unwraps(rig)
    is_same = rig.process is not None and rig.process.returncode is None and rig.process.pid == pid
    await rig.stop()
    await rig.start()
    await rig.until_live()
    is_up_again = await rig.until_settled(LIMIT_S)
    await rig.stop()
    return {
        "is_rotated": statuses == [0, 0, 0, 0] and early_retire != 0,
        "is_settled_while_rotating": is_settled,
        "is_same_process": is_same,
        "unwraps": unwraps.get("opened", 0),
        "unwraps_failed": sum(unwraps.values()) - unwraps.get("opened", 0),
        "is_every_use_good": sum(unwraps.values()) == unwraps.get("opened", 0) > 1,
        "is_up_with_new_key": is_up_again,
        "is_old_key_useless": await _is_useless(rig, Secret(old)),
        "key_file_mode": oct(path.stat().st_mode & 0o777),
    }


async def _without_key_service(rig: Rig) -> dict[str, Figure]:
    """Run over a key service, take it away, and see what goes on and what waits."""
    async with open_vault() as vault:
        await _move_to(rig, vault)
        await rig.start()
        await rig.until_live()
        vault.is_sealed = True
        await rig.post_signal()
        trades_on = await rig.until_settled(LIMIT_S)
        await _restart_bot(rig)
        await rig.stop()
        await rig.start()
        state = await _state_within(rig, BotState.RETRYING)
        legs = len(await rig.legs())
        await rig.post_signal()
        await asyncio.sleep(1.0)
        sent = len(await rig.legs()) - legs
        vault.is_sealed = False
        back = time.monotonic()
        await rig.until_live()
        back_s = round(time.monotonic() - back, 1)
        caught_up = await rig.until_settled(LIMIT_S)
        status = await rig.stop()
        return {
            "is_running_bot_unharmed": trades_on,
            "is_new_start_closed": state == BotState.RETRYING.value and sent == 0,
            "state_without_key_service": state,
            "is_caught_up": caught_up and status == 0,
            "back_after_s": back_s,
        }


async def _move_to(rig: Rig, vault: LoopbackVault) -> None:
    """Seal the user's secrets anew under a data key that the Vault wraps."""
    file = Path(rig.environment.pop("ENCRYPTION_KEY_FILE"))
    local = FernetKeyService(Secret(file.read_text(encoding="ascii").strip()))
    settings = VaultSettings(address=vault.address, token=Secret(vault.token))
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    async with aclosing(store), aclosing(await VaultKeyService.open(settings)) as keys:
        rows = store.user(rig.user).credentials
        known = SecureCredentialStore(store, local)
        secrets = {one.field: await known.get(rig.user, one.field) for one in await rows.list()}
        newest = await rows.key()
        await rows.add_key(await keys.generate(rig.user, (newest.key_version if newest else 0) + 1))
        moved = SecureCredentialStore(store, keys)
        for field, secret in secrets.items():
            if secret is not None:
                await moved.put(rig.user, field, secret)
        if newest is not None:
            await rows.delete_key(newest.key_version)
    rig.environment |= {
        "VAULT_ADDR": vault.address,
        "VAULT_TOKEN": vault.token,
    }


async def _restart_bot(rig: Rig) -> None:
    """Switch the user's bot off and on: it opens the session anew."""
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    async with aclosing(store):
        bot = store.user(rig.user).bot
        await bot.set_wish(on=False, by="drill")
        await _until(bot.status, BotState.OFF)
        await bot.set_wish(on=True, by="drill")
        await _until(bot.status, BotState.RUNNING)


async def _until(status: Callable[[], Awaitable[BotStatus]], wanted: BotState) -> None:
    """Look until another process has written it."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            if (await status()).state is wanted:
                return
            await asyncio.sleep(0.1)


async def _state_within(rig: Rig, wanted: BotState) -> str:
    """Return the bot's state when it is the wanted one, or what it is when time is over."""
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    async with aclosing(store):
        bot = store.user(rig.user).bot
        with contextlib.suppress(TimeoutError):
            await _until(bot.status, wanted)
        return (await bot.status()).state.value


async def _unwraps(rig: Rig) -> dict[str, int]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{rig.address()}/metrics") as response,
    ):
        text = await response.text()
    return {outcome: int(float(count)) for outcome, count in OPENED.findall(text)}


async def _is_useless(rig: Rig, key: Secret) -> bool:
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    async with aclosing(store):
        credentials = SecureCredentialStore(store, FernetKeyService(key))
        try:
            await credentials.get(rig.user, "telegram_session")
        except RefusedError:
            return True
        return False
