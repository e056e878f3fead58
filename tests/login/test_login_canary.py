"""What must stay secret is in no log, no payload on the bus, no page and no file in clear."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import aiohttp
import nats
import pytest
from nats.aio.msg import Msg

from kit.canaries import planted
from kit.login_desk import Desk
from kit.web_site import OURS, PAGE, serve
from signalfleet.domain.ids import UserId
from signalfleet_sim.telegram import World

pytestmark = pytest.mark.loopback

PHONE = "+1 555 7731"
PASSWORD = planted("password")
WRONG = planted("wrong-password")


def disguises(secret: bytes) -> Iterator[bytes]:
    yield secret
    yield secret.hex().encode()
    yield quote(secret).encode()
    for encoded in (base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
        # Cut, for in a longer text the last characters differ.
        yield encoded.rstrip(b"=")[:-1]


async def press(client: aiohttp.ClientSession, url: str, **form: str) -> str:
    async with client.post(url, data=form, headers={**PAGE, **OURS}) as answer:
        return await answer.text()


async def test_nothing_secret_of_a_sign_in_is_left_anywhere(
    desk: Desk, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    cara = world.user(PHONE, "Cara", password=PASSWORD)
    heard: list[bytes] = []
    pages: list[str] = []

    async def hear(msg: Msg) -> None:
        heard.append(msg.subject.encode() + b"\n" + msg.data)

    listener = await nats.connect(desk.nats.url, token=desk.nats.token.reveal())
    await listener.subscribe(">", cb=hear)
    await listener.flush()
    changes = {"bus": desk.bus, "sealer": desk.sealer, "cell": "c1"}
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        serve(desk.store, demo_user=None, cookie_secure=False, **changes) as site,  # type: ignore[arg-type]
        aiohttp.ClientSession(cookie_jar=jar) as client,
    ):
        home = f"{site.url}/connect/telegram"

        async def until(words: str) -> str:
            while True:
                async with client.get(home, headers=PAGE) as answer:
                    pages.append(await answer.text())
                if words in pages[-1]:
                    return pages[-1]

        pages.append(await press(client, f"{home}/start", agree="yes", method="code", phone=PHONE))
        await until('name="code"')
        code = world.code_for(PHONE)
        pages.append(await press(client, f"{home}/code", code=code))
        await until('name="password"')
        pages.append(await press(client, f"{home}/password", password=WRONG))
        await until("2 tries are left")
        pages.append(await press(client, f"{home}/password", password=PASSWORD))
        await until("Telegram is connected")
        pages.append(await press(client, f"{home}/finish"))
        assert "Disconnect Telegram" in pages[-1]
    await listener.close()
    profile = await desk.store.fleet.user_by_telegram(cara.user_id)
    assert profile is not None
    session = await desk.session(UserId(profile.user_id))
    assert session is not None
    key = base64.b64decode(json.loads(session.reveal())["key"])
    await desk.store.aclose()
    captured = capfd.readouterr()
    seen: dict[str, bytes] = {
        "log": (captured.out + captured.err).encode(),
        "bus": b"\n".join(heard),
        "page": "\n".join(pages).encode(),
        "file": b"\n".join(p.read_bytes() for p in desk.folder.rglob("*") if p.is_file()),
    }
    assert re.search(rb"sf\.rpc\.c1\.login", seen["bus"])
    assert b"sign_in_ended" in seen["log"]
    secrets: Sequence[bytes] = (
        PASSWORD.encode(),
        WRONG.encode(),
        key,
        session.reveal().encode(),
        PHONE.encode(),
        b"15557731",
    )
    for where, text in seen.items():
        for secret in secrets:
            for shape in disguises(secret):
                assert shape not in text, f"a secret is in a {where}"
        if where != "file":
            # Five digits are in many files by chance.
            assert not re.search(rb"(?<!\d)" + code.encode() + rb"(?!\d)", text), where
