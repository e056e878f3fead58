"""The demo: the unmodified product against the simulated city, on loopback, without any account."""

import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.app.connect_mt5 import connect_account
from signalfleet.app.connect_telegram import choose_channels, keep_sign_in
from signalfleet.bootstrap.brokers import metaapi_urls
from signalfleet.bootstrap.city import City
from signalfleet.bootstrap.platform import Platform
from signalfleet.bootstrap.settings import ConfigurationError, Environment, Settings
from signalfleet.bootstrap.telegram_kit import TelegramKit
from signalfleet.domain.ids import AccountId, UserId
from signalfleet.ports.chat_sign_in import SignedIn
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account, CopyMode

FIREBASE = "firebase://"
REGION = "new-york"
ACCOUNT = AccountId("a_demo")
DEMO_API_ID = 1
DEMO_SETTINGS = {"risk_percent": "0.5", "max_open_risk_percent": "10", "weekend": "keep"}
"""The market of the demo never closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """`root` holds everything of the demo; `drill` uses the short windows of failure drills."""

    root: Path
    port: int = 8080
    drill: bool = False
    look_interval_s: float = 1.0
    store_url: str = field(default="", repr=False)


def demo_settings(options: DemoOptions, city: City) -> Settings:
    """Point the product's own settings at the city. A new city starts with a new data directory."""
    data_dir = options.root / "data" / city.name
    for old in (options.root / "data").glob("*"):
        if old != data_dir:
            shutil.rmtree(old, ignore_errors=True)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Settings(
        _env_file=None,
        telegram_oidc_client_id="",
        telegram_oidc_client_secret=SecretStr(""),
        telegram_oidc_issuer="",
        environment=Environment.DEVELOPMENT,
        data_dir=data_dir,
        run_dir=options.root / "run",
        store_url=SecretStr(options.store_url),
        web_store_url=SecretStr(""),
        firebase_database_urls=_after_scheme(options.store_url),
        google_application_credentials=None,
        firebase_test_url="",
        redis_url=SecretStr(""),
        nats_url="",
        work_lane="bus",
        web_host="127.0.0.1",
        web_port=options.port,
        public_url="",
        encryption_key_file=None,
        encryption_key=SecretStr(_throw_away_key(data_dir / "encryption.key")),
        vault_addr="",
        state_dir=options.root / "state",
        backup_key_file=None,
        backup_every_s=0,
        intake_private_key=SecretStr(""),
        intake_public_key="",
        telegram_api_id=DEMO_API_ID,
        telegram_api_hash=SecretStr("0" * 32),
        telegram_dc_id=int(city.text("telegram_dc")),
        telegram_dc_address=city.text("telegram_address"),
        telegram_server_key_file=Path(city.text("telegram_key_file")),
        telegram_connects_per_s=100,
        metaapi_provisioning_url=city.text("metaapi_url") + "/prov",
        metaapi_client_url=city.text("metaapi_url") + "/client/{region}",
        metaapi_profile_url=city.text("metaapi_url") + "/profile",
        look_interval_s=options.look_interval_s,
        settle_profile="drill" if options.drill else "live",
        notify_bot_token=SecretStr(""),
        smtp_host="",
        vapid_private_key=SecretStr(""),
        min_tier="OPERATOR",
        calendar_url="",
        calendar_file=None,
    )


def _after_scheme(store_url: str) -> str:
    """A demo on Firebase names its instances behind the scheme: firebase://http://127.0.0.1:9000."""
    return store_url.removeprefix(FIREBASE) if store_url.startswith(FIREBASE) else ""


async def demo_user(platform: Platform, city: City) -> UserId:
    """Return the demo's user; at the first start sign in, choose channels, connect the account."""
    known = await platform.store.fleet.user_by_telegram(int(city.text("user_id")))
    if known is not None:
        account = await platform.store.user(known.user_id).accounts.get(ACCOUNT)
        if account is not None:
            return known.user_id
    user = await _sign_in(platform, city)
    await _connect_account(platform, city, user)
    store = platform.store.user(user)
    doc, version = await store.settings.get("user")
    if not doc:
        await store.settings.put("user", DEMO_SETTINGS, version)
    await store.bot.set_wish(on=True, by="demo")
    return user


async def start_script(city: City) -> None:
    """Let the scripted channels begin; a script that plays already goes on."""
    await city.ask("POST", "/city/start")


async def _sign_in(platform: Platform, city: City) -> UserId:
    if platform.credentials is None:
        raise ConfigurationError("the demo needs a key for credentials")
    kit = TelegramKit.of(platform.settings, platform.clock, platform.chance, platform.metrics)
    attempt = kit.sign_in()
    try:
        await attempt.send_code(Secret(city.text("phone")))
        answer = await city.ask("GET", f"/telegram/code?phone={city.text('phone')[1:]}")
        signed_in = await attempt.enter_code(Secret(answer["code"]))
    finally:
        await attempt.aclose()
    if not isinstance(signed_in, SignedIn):
        raise ConfigurationError("the simulated account wants a password, which it should not have")
    profile = await keep_sign_in(
        platform.store, platform.credentials, signed_in, secrets.token_bytes(16)
    )
    directory = kit.directory(signed_in.session)
    wanted = set(city.facts["channels"].values())
    chats = [chat async for chat in directory.list_chats() if chat.chat in wanted]
    if len(chats) != len(wanted):
        raise ConfigurationError("the simulated Telegram does not list its scripted channels")
    await choose_channels(platform.store, profile.user_id, chats, CopyMode.ON)
    return profile.user_id


async def _connect_account(platform: Platform, city: City, user: UserId) -> None:
    if platform.credentials is None:
        raise ConfigurationError("the demo needs a key for credentials")
    token = Secret(city.text("metaapi_token"))
    account = Account(
        account_id=ACCOUNT,
        broker="metaapi",
        mode="DEMO",
        metaapi_account_id=city.text("metaapi_account"),
        region=REGION,
    )
    async with MetaApiClient(clock=platform.clock, metrics=platform.metrics) as client:
        broker = MetaApiBroker(
            client,
            account_id=city.text("metaapi_account"),
            token=token,
            region=REGION,
            urls=metaapi_urls(platform.settings),
            clock=platform.clock,
            metrics=platform.metrics,
        )
        await connect_account(platform.store, platform.credentials, user, account, token, broker)


def _throw_away_key(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(Fernet.generate_key())
    return path.read_text(encoding="ascii")
