"""Channels, accounts, settings, credentials and the bot's record."""

from dataclasses import replace

import pytest

from kit.store_rows import (
    ACCOUNT,
    CHAT,
    NOW,
    OTHER_ACCOUNT,
    World,
    a_batch,
    a_channel,
    a_post,
    a_view,
    after,
    an_account,
)
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId, UserId
from signalfleet.ports.errors import ConflictError, FencedError, RefusedError
from signalfleet.ports.sealed import SealedSecret, WrappedKey
from signalfleet.ports.store import CopyMode

SEALED = SealedSecret(
    field="telegram_session", key_version=1, algorithm="A256GCM", nonce="bm9uY2U", ciphertext="Y3Q"
)


async def test_a_channel_is_saved_over_the_version_that_was_read(world: World) -> None:
    channels = world.mine.channels
    first = await channels.put(a_channel())
    assert first == replace(a_channel(), version=1)
    second = await channels.put(replace(first, mode=CopyMode.ON, title="Silver Room"))
    assert (second.version, second.mode, second.title) == (2, CopyMode.ON, "Silver Room")
    assert await channels.get(CHAT) == second
    for stale in (a_channel(), first):
        with pytest.raises(ConflictError):
            await channels.put(stale)
    assert await channels.list() == (second,)


async def test_saving_a_channel_leaves_the_marks_of_reading_alone(world: World) -> None:
    channels = world.mine.channels
    first = await channels.put(replace(a_channel(), checkpoint=99, seen_max=99, pts_seen=99))
    assert (first.checkpoint, first.seen_max, first.pts_seen) == (0, 0, None)
    await world.mine.inbox.add(a_batch(a_post(5), checkpoint=5, pts_seen=7), NOW, world.epoch)
    saved = await channels.put(replace(first, mode=CopyMode.ON))
    assert (saved.checkpoint, saved.seen_max, saved.pts_seen) == (5, 5, 7)
    assert await channels.get(CHAT) == saved


async def test_channels_are_listed_in_a_fixed_order(world: World) -> None:
    chats = [ChannelId(-3), ChannelId(-1), ChannelId(-2)]
    for chat in chats:
        await world.mine.channels.put(a_channel(chat=chat))
    assert [one.chat for one in await world.mine.channels.list()] == sorted(chats)
    assert await world.mine.channels.get(ChannelId(-4)) is None


async def test_an_account_is_saved_over_the_version_that_was_read(world: World) -> None:
    accounts = world.mine.accounts
    first = await accounts.put(an_account())
    second = await accounts.put(replace(first, state="REJECTED", currency=None))
    assert (first.version, second.version, second.state) == (1, 2, "REJECTED")
    with pytest.raises(ConflictError):
        await accounts.put(first)
    with pytest.raises(ConflictError):
        await accounts.put(replace(an_account(OTHER_ACCOUNT), version=1))
    assert await accounts.list() == (second,)
    assert await accounts.get(ACCOUNT) == second
    assert await accounts.get(OTHER_ACCOUNT) is None


async def test_the_view_of_an_account_comes_back_and_is_no_change_of_the_account(
    world: World,
) -> None:
    accounts = world.mine.accounts
    account = await accounts.put(an_account())
    assert await accounts.view(ACCOUNT) is None
    await accounts.put_view(ACCOUNT, a_view(), world.epoch)
    assert await accounts.view(ACCOUNT) == a_view()
    later = replace(a_view(), positions=(), orders=(), seen_at=after(9))
    await accounts.put_view(ACCOUNT, later, world.epoch)
    await accounts.put(account)
    assert await accounts.view(ACCOUNT) == later


async def test_a_view_needs_the_slot_and_the_account(world: World) -> None:
    with pytest.raises(RefusedError):
        await world.mine.accounts.put_view(ACCOUNT, a_view(), world.epoch)
    await world.mine.accounts.put(an_account())
    with pytest.raises(FencedError):
        await world.mine.accounts.put_view(ACCOUNT, a_view(), world.epoch + 1)
    assert await world.mine.accounts.view(ACCOUNT) is None


@pytest.mark.parametrize("wrong", [{"broker": "oanda"}, {"mode": "live"}])
async def test_an_account_of_an_unknown_kind_is_refused(
    world: World, wrong: dict[str, str]
) -> None:
    with pytest.raises(DomainError):
        await world.mine.accounts.put(replace(an_account(), **wrong))  # type: ignore[arg-type]
    assert await world.mine.accounts.list() == ()


async def test_settings_are_saved_over_the_version_that_was_read(world: World) -> None:
    settings = world.mine.settings
    assert await settings.get("user") == ({}, 0)
    doc = {"risk_percent": "1.0", "caps": {"daily": 3, "on": True, "none": None}, "words": ["ä"]}
    assert await settings.put("user", doc, 0) == 1
    assert await settings.get("user") == (doc, 1)
    for stale in (0, 2):
        with pytest.raises(ConflictError):
            await settings.put("user", {}, stale)
    assert await settings.put("user", {}, 1) == 2
    assert await settings.get("user") == ({}, 2)
    assert await settings.get("account:a_paper1") == ({}, 0)


async def test_versions_of_all_settings_come_in_one_answer(world: World) -> None:
    settings = world.mine.settings
    assert await settings.versions() == {}
    await settings.put("user", {"risk_percent": "1.0"}, 0)
    await settings.put("channel:-1", {}, 0)
    await settings.put("user", {}, 1)
    assert await settings.versions() == {"user": 2, "channel:-1": 1}


async def test_settings_are_not_shared_with_the_caller(world: World) -> None:
    doc: dict[str, object] = {"words": ["a"]}
    await world.mine.settings.put("user", doc, 0)
    doc["words"] = ["b"]
    assert (await world.mine.settings.get("user"))[0] == {"words": ["a"]}


@pytest.mark.parametrize("value", [NOW, float("nan"), {1, 2}])
async def test_settings_that_are_not_json_are_refused(world: World, value: object) -> None:
    with pytest.raises(DomainError):
        await world.mine.settings.put("user", {"value": value}, 0)


async def test_a_sealed_credential_is_replaced_and_deleted(world: World) -> None:
    credentials = world.mine.credentials
    assert await credentials.get("telegram_session") is None
    await credentials.put(SEALED)
    newer = replace(SEALED, key_version=2, nonce="b3RoZXI")
    await credentials.put(newer)
    assert await credentials.get("telegram_session") == newer
    await credentials.delete("telegram_session")
    await credentials.delete("telegram_session")
    assert await credentials.get("telegram_session") is None


async def test_a_data_key_is_stored_once(world: World) -> None:
    credentials = world.mine.credentials
    assert await credentials.key() is None
    first = WrappedKey(key_version=1, kek_id="aa", wrapped="one")
    assert await credentials.add_key(first) == first
    assert await credentials.add_key(replace(first, wrapped="two")) == first
    second = await credentials.add_key(replace(first, key_version=2))
    assert await credentials.key() == second
    assert await credentials.key(1) == first
    assert await credentials.key(3) is None


async def test_a_bot_is_off_until_somebody_wishes_otherwise(world: World) -> None:
    bot = world.mine.bot
    status = await bot.status()
    assert (status.wish_on, status.halted, status.state, status.wish_rev) == (
        False,
        False,
        BotState.OFF,
        0,
    )
    await bot.set_wish(on=True, by="user")
    await bot.set_halted(halted=True)
    status = await bot.status()
    assert (status.wish_on, status.halted, status.state) == (True, True, BotState.OFF)
    await bot.set_wish(on=False, by="user")
    assert (await bot.status()).halted


async def test_the_state_of_a_bot_is_kept_beside_the_wish(world: World) -> None:
    bot = world.mine.bot
    await bot.set_state(
        BotState.RETRYING,
        reason="telegram_down",
        since=NOW,
        retry_at=after(30),
        crashes=2,
        epoch=world.epoch,
    )
    before = await bot.status()
    assert (before.state, before.reason, before.since) == (BotState.RETRYING, "telegram_down", NOW)
    assert (before.retry_at, before.crashes, before.wish_on) == (after(30), 2, False)
    await bot.set_wish(on=True, by="user")
    assert (await bot.status()).state is BotState.RETRYING


async def test_a_stale_worker_does_not_set_the_state(world: World) -> None:
    await world.claim_mine()
    with pytest.raises(FencedError):
        await world.mine.bot.set_state(
            BotState.RUNNING, reason=None, since=NOW, retry_at=None, crashes=0, epoch=world.epoch
        )
    assert (await world.mine.bot.status()).state is BotState.OFF


async def test_nothing_is_written_for_a_user_who_does_not_exist(world: World) -> None:
    nobody = world.store.user(UserId("u_" + "z" * 26))
    with pytest.raises(RefusedError):
        await nobody.channels.put(a_channel())
    with pytest.raises(RefusedError):
        await nobody.accounts.put(an_account())
    with pytest.raises(RefusedError):
        await nobody.settings.put("user", {}, 0)
    with pytest.raises(RefusedError):
        await nobody.credentials.put(SEALED)
    with pytest.raises(RefusedError):
        await nobody.credentials.add_key(WrappedKey(key_version=1, kek_id="a", wrapped="b"))
    with pytest.raises(RefusedError):
        await nobody.bot.set_wish(on=True, by="nobody")
    with pytest.raises(FencedError):
        await nobody.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    assert await nobody.channels.list() == ()
