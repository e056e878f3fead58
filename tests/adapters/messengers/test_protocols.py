"""What is particular to one messenger on its wire."""

import json
from pathlib import Path

import pytest

from kit.messenger_houses import (
    BOT,
    CHAT,
    MAIL_PASSWORD,
    RECEIVER,
    TOKEN,
    MailHouse,
    PushHouse,
    a_bot_api,
)
from kit.messengers import open_post
from signalfleet.adapters.bot_api import BotApi
from signalfleet.adapters.web_push import VapidKey, new_vapid_key
from signalfleet.adapters.web_push.limits import SERVICES
from signalfleet.adapters.web_push.mapping import Subscription
from signalfleet.adapters.web_push.sealing import content_keys, decode, encode
from signalfleet.domain.accounts.notices import NoticeLevel
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.messenger import Delivered, Message, RetryLater, Started
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback

NEWS = Message(
    key="7",
    level=NoticeLevel.MONEY,
    title="A trade was opened",
    lines=("Opened.", ".", "..dots"),
    link="https://fleet.example/notices",
    unsubscribe="https://fleet.example/notifications/unsubscribe/u_a/word",
)


async def test_the_bot_sees_who_starts_it_in_private_and_acknowledges_by_asking_on() -> None:
    async with a_bot_api() as house:
        bot = BotApi(Secret(TOKEN), address=house.url, poll_s=0)
        assert await bot.username() == BOT
        house.press_start("word-1")
        house.press_start("in-a-group", chat=-100, kind="supergroup")
        house.press_start("", chat=5)
        house.updates.append({"update_id": 1003, "message": {"chat": {"id": 1}, "sticker": {}}})
        house.updates.append({"update_id": 1004, "edited_message": None})
        assert await bot.starts() == (
            Started(chat=CHAT, name="@someone", word="word-1"),
            Started(chat=5, name="@someone", word=""),
        )
        assert await bot.starts() == ()
        assert house.polls[-1]["offset"] == 1005


async def test_a_bot_that_somebody_else_asks_waits_and_says_why() -> None:
    async with a_bot_api() as house:
        house.is_polled_elsewhere = True
        bot = BotApi(Secret(TOKEN), address=house.url, poll_s=0)
        with pytest.raises(TemporaryError, match="another program") as caught:
            await bot.starts()
        assert caught.value.retry_after == 30
        wrong = BotApi(Secret("1:other"), address=house.url, poll_s=0)
        with pytest.raises(TemporaryError) as refused:
            await wrong.starts()
        assert "other" not in str(refused.value)


async def test_a_message_to_telegram_has_no_mark_up(tmp_path: Path) -> None:
    async with open_post("telegram", tmp_path) as post:
        await post.messenger.deliver(post.target, NEWS)
        (sent,) = post.house.sent  # type: ignore[union-attr]
        assert sent["chat_id"] == CHAT
        assert "parse_mode" not in sent


async def test_nothing_but_the_wish_for_tls_is_said_in_the_clear(tmp_path: Path) -> None:
    async with open_post("email", tmp_path) as post:
        house = post.house
        assert isinstance(house, MailHouse)
        assert await post.messenger.deliver(post.target, NEWS) == Delivered()
        assert [line.split()[0] for line in house.in_the_clear] == [b"ehlo", b"STARTTLS"]


async def test_a_mail_server_without_tls_gets_neither_password_nor_letter(tmp_path: Path) -> None:
    async with open_post("email", tmp_path) as post:
        house = post.house
        assert isinstance(house, MailHouse)
        house.offers_tls = False
        assert isinstance(await post.messenger.deliver(post.target, NEWS), RetryLater)
        said = b"".join(house.in_the_clear)
        assert b"AUTH" not in said
        assert MAIL_PASSWORD.encode() not in said
        assert house.letters == []


async def test_a_mail_server_that_cannot_prove_itself_gets_nothing(tmp_path: Path) -> None:
    async with open_post("email", tmp_path) as post:
        house = post.house
        assert isinstance(house, MailHouse)
        other = tmp_path / "other"
        other.mkdir()
        stranger = MailHouse(folder=other)
        stranger.make_certificate()
        (tmp_path / "ca.pem").write_bytes(stranger.ca_file.read_bytes())
        outcome = await post.messenger.deliver(post.target, NEWS)
        assert isinstance(outcome, RetryLater)
        assert not outcome.is_unsure
        assert house.letters == []


async def test_a_letter_can_be_ended_by_one_click_and_holds_nothing_of_a_user_in_its_head(
    tmp_path: Path,
) -> None:
    async with open_post("email", tmp_path) as post:
        house = post.house
        assert isinstance(house, MailHouse)
        for _ in range(2):
            await post.messenger.deliver(post.target, NEWS)
        first, second = house.letters
        assert first["List-Unsubscribe"] == f"<{NEWS.unsubscribe}>"
        assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert first["Auto-Submitted"] == "auto-generated"
        assert first["Subject"] == "SignalFleet: A trade was opened"
        assert first["To"] == RECEIVER
        assert first.get_content_type() == "text/plain"
        assert first["Message-ID"] == second["Message-ID"]
        assert house.texts[0].splitlines()[:5] == ["Opened.", "", ".", "", "..dots"]


async def test_a_push_message_is_signed_for_its_service_and_hurries_for_money(
    tmp_path: Path,
) -> None:
    async with open_post("push", tmp_path) as post:
        house = post.house
        assert isinstance(house, PushHouse)
        await post.messenger.deliver(post.target, NEWS)
        (claims,), (headers,) = house.claims, house.headers
        assert (claims["aud"], claims["sub"]) == (house.url, "mailto:fleet@example.com")
        assert headers["Urgency"] == "high"
        assert headers["Content-Encoding"] == "aes128gcm"
        assert house.opened[0]["url"] == NEWS.link


def test_the_keys_of_a_push_message_are_those_of_the_standards_example() -> None:
    """RFC 8291, appendix A."""
    key, nonce = content_keys(
        decode("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"),
        decode("BTBZMqHH6r4Tts7J_aSIgg"),
        decode(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        decode(
            "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
        ),
        decode("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert encode(key) == "oIhVW04MRdy2XN9CiKLxTg"
    assert encode(nonce) == "4h_95klXJ5E_qnoN"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/x",
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com@evil.example/x",
        "https://user@fcm.googleapis.com/x",
        "https://evilpush.apple.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://fcm.googleapis.com:99999/x",
        "file:///etc/passwd",
        "",
        "https://fcm.googleapis.com/" + "x" * 1000,
    ],
    ids=str,
)
def test_only_push_services_that_are_known_are_called(endpoint: str) -> None:
    keys = json.loads(PushHouse().subscription)["keys"]
    with pytest.raises(ValueError, match="browser"):
        Subscription.of(json.dumps({"endpoint": endpoint, "keys": keys}), SERVICES, ("https",))


def test_a_browser_at_a_known_service_is_taken() -> None:
    keys = json.loads(PushHouse().subscription)["keys"]
    for host in ("fcm.googleapis.com", "web.push.apple.com"):
        given = json.dumps({"endpoint": f"https://{host}/x", "keys": keys})
        assert Subscription.of(given, SERVICES, ("https",)).host == host


@pytest.mark.parametrize("text", ["", "short", "!" * 43, "A" * 44], ids=str)
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        VapidKey(Secret(text))
    assert "***" in repr(VapidKey(new_vapid_key()))
