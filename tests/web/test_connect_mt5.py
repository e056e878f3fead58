"""Connecting a MetaTrader account through the pages, the worker's desk and MetaApi's simulator."""

import base64
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from kit.canaries import WATCH
from kit.mt5_site import LOGIN, PASSWORD, SERVER, TOKEN, Mt5Site, mt5_site
from kit.web_scene import USER
from signalfleet.app.connect_mt5 import SCOPE

pytestmark = pytest.mark.loopback

BY_PASSWORD = {"way": "password", "login": LOGIN, "password": PASSWORD}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Mt5Site]:
    async with mt5_site(tmp_path) as opened:
        yield opened


async def test_an_account_is_added_with_a_typed_password_and_shown_with_what_is_on_it(
    desk: Mt5Site,
) -> None:
    assert "No trading account is connected" in (await desk.site.page("/connect/mt5")).text
    await desk.give_token()
    await desk.add(**BY_PASSWORD)
    page = await desk.until('id="connected"', 'id="failed"')
    assert "a demo account" in page
    assert "7500.00 USD" in page
    assert "Nothing on this account that SignalFleet did not open" in page
    (account,) = await desk.accounts()
    assert (account.broker, account.mode, account.server) == ("metaapi", "DEMO", SERVER)
    assert account.login_masked == "…017"
    assert (await desk.store.user(USER).bot.status()).wish_on


async def test_the_stored_token_reaches_the_connected_account_only(desk: Mt5Site) -> None:
    other = desk.metaapi.add_account(token=TOKEN)
    await desk.give_token()
    await desk.add(**BY_PASSWORD)
    page = await desk.until('id="connected"', 'id="failed"')
    assert "reaches your connected accounts only" in page
    stored = await desk.stored_token()
    (account,) = await desk.accounts()
    assert stored is not None
    assert stored != TOKEN
    assert desk.metaapi.world.tokens[stored].only == frozenset({account.metaapi_account_id})
    assert other != account.metaapi_account_id
    # MetaApi's own default is one day, and then no trade would be looked after any more.
    world = desk.metaapi.world
    assert world.tokens[stored].valid_until > world.now() + timedelta(days=365).total_seconds()
    assert (await desk.broker(account, stored).account()).connected


async def test_behind_the_link_the_password_goes_to_metaapi_and_never_comes_here(
    desk: Mt5Site,
) -> None:
    await desk.give_token()
    await desk.add(way="link")
    page = await desk.until('id="configuration-link"', 'id="failed"')
    link = page.split('id="configuration-link" href="')[1].split('"')[0]
    WATCH.may_show(link)
    async with aiohttp.ClientSession() as browser:
        wrong = await browser.post(link, data={"login": LOGIN, "password": "no"})
        assert wrong.status == 400
        right = await browser.post(link, data={"login": LOGIN, "password": PASSWORD})
        assert right.status == 200
    page = await desk.until('id="connected"', 'id="failed"')
    assert "7500.00 USD" in page
    assert len(await desk.accounts()) == 1


async def test_an_account_that_exists_is_chosen_from_the_list_and_started(desk: Mt5Site) -> None:
    ident = desk.metaapi.add_account(token=TOKEN, state="UNDEPLOYED", login="7001")
    page = await desk.give_token()
    assert "login <bdi>7001</bdi>" in page
    await desk.add(way="existing", account=ident)
    page = await desk.until('id="connected"', 'id="failed"')
    assert 'id="connected"' in page
    assert [one.metaapi_account_id for one in await desk.accounts()] == [ident]


async def test_what_others_opened_is_shown_before_the_first_trade(desk: Mt5Site) -> None:
    ident = desk.metaapi.add_account(token=TOKEN)
    desk.metaapi.add_fault("foreign_position", account=ident)
    await desk.give_token()
    await desk.add(way="existing", account=ident)
    page = await desk.until('id="connected"', 'id="failed"')
    assert "1 on this account that SignalFleet did not open; they are never touched" in page


async def test_a_real_account_is_connected_and_waits_for_its_users_word(desk: Mt5Site) -> None:
    ident = desk.metaapi.add_account(token=TOKEN, login="70018882", is_real=True)
    await desk.give_token()
    await desk.add(way="existing", account=ident)
    page = await desk.until('id="connected"', 'id="failed"')
    assert "Nothing is opened on it until you have let it trade real money" in page
    (account,) = await desk.accounts()
    assert f'href="/accounts/{account.account_id}/live"' in page


async def test_a_second_time_the_same_account_is_the_same_row(desk: Mt5Site) -> None:
    ident = desk.metaapi.add_account(token=TOKEN)
    for _ in range(2):
        await desk.give_token()
        await desk.add(way="existing", account=ident)
        await desk.until('id="connected"')
        await desk.site.press("/connect/mt5/again")
    (account,) = await desk.accounts()
    assert account.version == 2


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({**BY_PASSWORD, "password": "wrong"}, "the broker refuses this login and password"),
        ({**BY_PASSWORD, "server": "Nowhere-Live"}, "MetaApi does not know this server"),
    ],
    ids=["password", "server"],
)
async def test_a_refused_login_is_said_in_words_and_can_be_mended(
    desk: Mt5Site, form: dict[str, str], words: str
) -> None:
    await desk.give_token()
    await desk.add(**form)
    page = await desk.until('id="failed"', 'id="connected"')
    assert words.lower() in page.lower()
    assert await desk.accounts() == ()
    await desk.add(**BY_PASSWORD)
    assert 'id="connected"' in await desk.until('id="connected"')
    assert len(desk.metaapi.world.accounts) == 1


async def test_the_same_wrong_password_is_not_tried_again_for_money(desk: Mt5Site) -> None:
    await desk.give_token()
    for words in ("refuses this login", "change them"):
        await desk.add(**{**BY_PASSWORD, "password": "wrong"})
        assert words in await desk.until(words)
    calls = desk.metaapi.world.journal.calls
    tries = [call for call in calls if call["route"] == "create-account" and call["status"] == 400]
    assert len(tries) == 1


async def test_without_a_free_slot_the_user_is_told(desk: Mt5Site) -> None:
    desk.metaapi.add_fault("quota_full", route="create-account")
    await desk.give_token()
    await desk.add(**BY_PASSWORD)
    assert "may have no more accounts" in await desk.until('id="failed"')


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("un.known.token", "MetaApi refuses this token"),
        ("account-token", "token of one account"),
        ("two words", "paste it again"),
        ("", "Paste a token first"),
        ("x" * 9_000, "too long for a token"),
    ],
    ids=["unknown", "account", "spaces", "empty", "long"],
)
async def test_a_token_that_does_not_serve_is_refused_with_what_to_do(
    desk: Mt5Site, token: str, words: str
) -> None:
    page = await desk.give_token(token)
    assert words in page
    assert "MetaApi token</label>" in page
    assert token == "" or token not in page
    assert await desk.stored_token() is None


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"way": "password", "login": "abc", "password": "x"}, "login is a number"),
        ({"way": "password", "login": LOGIN}, "Enter the password"),
        ({"way": "link", "server": ""}, "name of the broker&#39;s server"),
        ({"way": "link", "region": ""}, "Choose a region"),
        ({"way": "existing"}, "Choose one of the accounts"),
        ({"way": "magic"}, "Choose how to connect"),
    ],
    ids=["login", "password", "server", "region", "account", "way"],
)
async def test_a_form_that_is_not_filled_in_says_what_is_missing(
    desk: Mt5Site, form: dict[str, str], words: str
) -> None:
    await desk.give_token()
    assert words in await desk.add(**form)
    assert len(desk.metaapi.world.accounts) == 0


async def test_another_users_account_at_metaapi_is_not_found(desk: Mt5Site) -> None:
    foreign = desk.metaapi.add_account(token="some.other.user")
    await desk.give_token()
    await desk.add(way="existing", account=foreign)
    assert "NotFoundError" in await desk.until('id="failed"')
    assert await desk.accounts() == ()


async def test_a_token_that_would_cut_off_another_account_is_refused_before_anything_is_added(
    desk: Mt5Site,
) -> None:
    await desk.give_token()
    await desk.add(**BY_PASSWORD)
    await desk.until('id="connected"')
    kept = await desk.stored_token()
    await desk.site.press("/connect/mt5/again")
    desk.metaapi.world.add_token("some.other.user")
    await desk.give_token("some.other.user")
    await desk.add(**BY_PASSWORD)
    page = await desk.until('id="failed"', 'id="connected"')
    assert f"does not reach {SERVER}, which is connected already" in page
    assert len(desk.metaapi.world.accounts) == 1
    assert await desk.stored_token() == kept


async def test_a_second_account_leaves_a_token_that_reaches_both(desk: Mt5Site) -> None:
    idents = frozenset(desk.metaapi.add_account(token=TOKEN) for _ in range(2))
    for ident in idents:
        await desk.give_token()
        await desk.add(way="existing", account=ident)
        await desk.until('id="connected"')
        await desk.site.press("/connect/mt5/again")
    stored = await desk.stored_token()
    assert stored is not None
    assert desk.metaapi.world.tokens[stored].only == idents


async def test_an_answer_that_was_lost_adds_no_second_account(desk: Mt5Site) -> None:
    """The id of the transaction was stored before the call, so the same add is found again."""
    desk.metaapi.add_fault("execute_then_reset", route="create-account", nth=2)
    await desk.give_token()
    await desk.add(**BY_PASSWORD)
    await desk.until('id="failed"')
    kept, _ = await desk.store.user(USER).settings.get(SCOPE)
    assert len(str(kept["transaction"])) == 32
    await desk.add(**BY_PASSWORD)
    assert 'id="connected"' in await desk.until('id="connected"', 'id="failed"')
    assert len(desk.metaapi.world.accounts) == 1
    assert (await desk.store.user(USER).settings.get(SCOPE))[0] == {}


async def test_a_token_that_is_refused_on_the_way_is_said(desk: Mt5Site) -> None:
    await desk.give_token()
    desk.metaapi.add_fault({"kind": "revoke_token", "token": TOKEN})
    await desk.add(**BY_PASSWORD)
    assert "MetaApi refuses this token" in await desk.until('id="failed"')


def disguises(secret: bytes) -> Iterator[bytes]:
    yield secret
    yield secret.hex().encode()
    yield quote(secret).encode()
    for encoded in (base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
        yield encoded.rstrip(b"=")[:-1]


async def test_password_and_token_are_in_no_log_store_event_or_page(
    desk: Mt5Site, capfd: pytest.CaptureFixture[str]
) -> None:
    pages = [await desk.give_token("canary.wrong.token"), await desk.give_token()]
    pages.append(await desk.add(**{**BY_PASSWORD, "password": "canary-wrong-mt5"}))
    pages.append(await desk.until('id="failed"'))
    pages.append(await desk.add(**BY_PASSWORD))
    pages.append(await desk.until('id="connected"'))
    out, err = capfd.readouterr()
    files = b"".join(path.read_bytes() for path in desk.folder.iterdir() if path.is_file())
    urls = "".join(repr(call) for call in desk.metaapi.world.journal.calls)
    heard = "\n".join([*pages, *desk.bus.said, out, err, urls]).encode() + files
    for secret in (PASSWORD, "canary-wrong-mt5", TOKEN, "canary.wrong.token"):
        for shape in disguises(secret.encode()):
            assert shape not in heard, secret
    # The search itself finds what is there.
    assert SERVER.encode() in files
