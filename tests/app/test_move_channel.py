"""A group that became a supergroup is copied on under its new number, by the same rules."""

from kit.builders import CHAT, USER
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.app.move_channel import move_channel
from signalfleet.domain.ids import ChannelId, slot
from signalfleet.ports.chat_source import WatchedChat
from signalfleet.ports.store import Channel, CopyMode, UserProfile, UserStore

NEW = ChannelId(-1009999999999)


async def a_group(doc: dict[str, object]) -> UserStore:
    store = MemoryStore(cell="c1")
    await store.fleet.add_user(
        UserProfile(
            user_id=USER,
            telegram_id=1,
            display_name="Ann",
            tier="FREE",
            timezone="UTC",
            slot=slot(USER),
        )
    )
    mine = store.user(USER)
    group = Channel(chat=CHAT, kind="group", title="Gold", access_hash=0, mode=CopyMode.ON)
    await mine.channels.put(group)
    await mine.settings.put(f"channel:{CHAT}", doc, 0)
    return mine


async def test_limits_and_profile_move_with_the_group() -> None:
    doc: dict[str, object] = {"symbols_blocked": ["XAUUSD"], "profile": {"version": 3}}
    mine = await a_group(doc)
    moved = WatchedChat(chat=NEW, kind="supergroup", access_hash=7, title="Gold")
    await move_channel(mine, CHAT, moved)
    new, old = await mine.channels.get(NEW), await mine.channels.get(CHAT)
    assert new is not None
    assert old is not None
    assert (new.mode, new.access_hash, old.mode) == (CopyMode.ON, 7, CopyMode.OFF)
    assert (await mine.settings.get(f"channel:{NEW}"))[0] == doc


async def test_a_move_that_is_told_twice_overwrites_nothing() -> None:
    mine = await a_group({"profile": {"version": 1}})
    moved = WatchedChat(chat=NEW, kind="supergroup", access_hash=7, title="Gold")
    await move_channel(mine, CHAT, moved)
    await mine.settings.put(f"channel:{NEW}", {"profile": {"version": 2}}, 1)
    await move_channel(mine, CHAT, moved)
    assert (await mine.settings.get(f"channel:{NEW}"))[0] == {"profile": {"version": 2}}
