"""Move the users of a load into a product's store, signed in, with channels, account and wish."""

import asyncio
import base64
import secrets
from collections.abc import Sequence
from typing import Final

from bench.load.pipe import Facts
from bench.load.plan import REGION
from signalfleet.adapters.telegram.session import StoredSession
from signalfleet.app.connect_mt5 import TOKEN_FIELD
from signalfleet.app.connect_telegram import choose_channels, keep_sign_in
from signalfleet.bootstrap.platform import Platform
from signalfleet.domain.ids import AccountId, ChannelId, UserId
from signalfleet.ports.chat_sign_in import SignedIn
from signalfleet.ports.chat_source import ChatListing
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Account, CopyMode

ACCOUNT: Final = AccountId("a_load")
AT_ONCE: Final = 64
SERVER: Final = "SimBroker-Demo"
LOAD_SETTINGS: Final[dict[str, object]] = {
    "size_mode": "fixed_lots",
    "fixed_lots": "0.1",
    "max_risk_percent": "10",
    "max_signal_age": "300",
    "max_open_trades": "1000",
    "max_open_per_symbol": "1000",
    "weekend": "keep",
    "max_open_risk_percent": "100",
    "max_price_gap": "1",
    "conflict": "hedge",
    "cross_channel": "allow",
    "duplicate_window": "0",
}
"""Guards wide open: in a load every signal is to become an order."""


async def settle_in(
    platform: Platform, people: Sequence[Facts], *, wish: bool = True
) -> list[UserId]:
    """Store all of them as if each had signed in and connected an account; return their ids."""
    credentials = platform.credentials
    if credentials is None:
        raise RuntimeError("a load needs a platform that can seal credentials")
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(person: Facts) -> UserId:
        async with turns:
            return await _settle(platform, credentials, person, wish=wish)

    async with asyncio.TaskGroup() as tasks:
        settling = [tasks.create_task(one(person)) for person in people]
    return [task.result() for task in settling]


async def _settle(
    platform: Platform, credentials: CredentialStore, person: Facts, *, wish: bool
) -> UserId:
    signed_in = SignedIn(
        telegram_id=person["telegram_id"],
        display_name=f"User {person['telegram_id']}",
        session=Secret(_session(person).dump()),
    )
    profile = await keep_sign_in(platform.store, credentials, signed_in, secrets.token_bytes(16))
    user = profile.user_id
    store = platform.store.user(user)
    chats = [
        ChatListing(
            chat=ChannelId(chat["chat"]),
            kind="channel",
            title=chat["title"],
            access_hash=chat["access_hash"],
            username=None,
            is_protected=False,
        )
        for chat in person["chats"]
    ]
    await choose_channels(platform.store, user, chats, CopyMode.ON)
    await credentials.put(user, TOKEN_FIELD, Secret(person["metaapi_token"]))
    await store.accounts.put(
        Account(
            account_id=ACCOUNT,
            broker="metaapi",
            mode="DEMO",
            metaapi_account_id=person["metaapi_account"],
            region=REGION,
            server=SERVER,
            currency="USD",
        )
    )
    await store.settings.put("user", LOAD_SETTINGS, 0)
    if wish:
        await store.bot.set_wish(on=True, by="load")
    return user


def _session(person: Facts) -> StoredSession:
    return StoredSession(
        dc=person["dc"],
        host=person["host"],
        port=person["port"],
        key=base64.b64decode(person["key"]),
        telegram_user_id=person["telegram_id"],
    )
