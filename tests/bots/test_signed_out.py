"""A dead Telegram session costs the user new signals only; what is open is looked after."""

from kit.builders import USER
from kit.clock import settle_down, until
from kit.fleet import Fleet
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.chat_source import ChatNotice, ChatNoticeKind, WatchedChat
from signalfleet.ports.errors import SignInRequiredError, TemporaryError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import CopyMode

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"
REVOKED = SignInRequiredError("revoked", reason="revoked")


async def lose_telegram(fleet: Fleet) -> None:
    await fleet.bring(REVOKED)
    await until(lambda: fleet.state is BotState.SIGN_IN_NEEDED)


async def test_a_stop_loss_is_noticed_while_the_user_must_sign_in(fleet: Fleet) -> None:
    number = await fleet.say(ONE_LEG)
    (trade,) = await fleet.trades(number)
    await lose_telegram(fleet)
    assert [one.trade_id for one in await fleet.mine.journal.live_trades()] == [trade.trade_id]
    fleet.broker.price("2330", "2330.3")
    await settle_down(60)
    assert await fleet.mine.journal.live_trades() == ()
    assert fleet.state is BotState.SIGN_IN_NEEDED


async def test_why_is_stored_and_the_dead_session_is_forgotten(fleet: Fleet) -> None:
    await lose_telegram(fleet)
    status = await fleet.mine.bot.status()
    assert (status.state, status.reason) == (BotState.SIGN_IN_NEEDED, "revoked")
    assert await fleet.credentials.get(USER, "telegram_session") is None
    assert len(fleet.sources) == 1
    await settle_down(3600)
    assert len(fleet.sources) == 1


async def test_why_is_still_known_after_a_restart(fleet: Fleet) -> None:
    await lose_telegram(fleet)
    await fleet.kill()
    await fleet.start(wait=False)
    await until(lambda: fleet.state is BotState.SIGN_IN_NEEDED)
    assert (await fleet.mine.bot.status()).reason == "revoked"


async def test_a_new_sign_in_brings_the_bot_back(fleet: Fleet) -> None:
    await lose_telegram(fleet)
    await fleet.credentials.put(USER, "telegram_session", Secret("another"))
    await until(lambda: fleet.state is BotState.RUNNING)
    assert len(fleet.sources) == 2
    await fleet.say(ONE_LEG)
    assert len(fleet.broker.entries) == 1


async def test_a_session_that_was_replaced_before_the_old_one_died_is_kept(fleet: Fleet) -> None:
    await fleet.credentials.put(USER, "telegram_session", Secret("another"))
    await fleet.bring(REVOKED)
    assert fleet.state is BotState.RUNNING
    assert len(fleet.sources) == 2
    assert await fleet.credentials.get(USER, "telegram_session") == Secret("another")


async def test_the_bot_can_be_stopped_while_the_user_must_sign_in(fleet: Fleet) -> None:
    await lose_telegram(fleet)
    await fleet.mine.bot.set_wish(on=False, by="test")
    await settle_down(6)
    assert (await fleet.mine.bot.status()).state is BotState.OFF


async def test_other_trouble_of_telegram_restarts_the_bot_as_before(fleet: Fleet) -> None:
    await fleet.bring(TemporaryError("the queue is full"))
    assert fleet.state is BotState.RETRYING


async def test_a_group_that_moved_is_copied_from_under_its_new_id(fleet: Fleet) -> None:
    (old,) = await fleet.mine.channels.list()
    new = WatchedChat(
        chat=ChannelId(-1009), kind="supergroup", access_hash=9, title=old.title, checkpoint=1
    )
    bot = fleet.manager.active_bots[USER]
    notice = ChatNotice(chat=old.chat, kind=ChatNoticeKind.MOVED, moved_to=new)
    await bot.chat_noticed(notice)
    await bot.chat_noticed(notice)
    kept = {one.chat: one for one in await fleet.mine.channels.list()}
    assert kept[old.chat].mode is CopyMode.OFF
    moved = kept[new.chat]
    assert (moved.mode, moved.kind, moved.access_hash) == (old.mode, "supergroup", 9)
