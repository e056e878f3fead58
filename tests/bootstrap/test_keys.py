"""What must not start without a key, and what must not start with one."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from kit.store_rows import CELL, ME, a_profile
from signalfleet.adapters.secrets import KeyFile, SecureCredentialStore, new_encryption_key
from signalfleet.bootstrap.keys import check_keys, local_keys, require_no_keys
from signalfleet.bootstrap.settings import ConfigurationError, Settings, given_values
from signalfleet.bootstrap.store import open_store
from signalfleet.cli.main import app
from signalfleet.ports.secrets import Secret

KEY = new_encryption_key().reveal()


def settings_with(**given: object) -> Settings:
    return Settings(_env_file=None, **given)  # type: ignore[arg-type]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "encryption.keys"
    path.touch(mode=0o600)
    path.write_text(KEY)
    return path


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "is not set"),
        ("your-32-byte-key-here", "not a Fernet key"),
        ("A" * 43 + "=", "sample"),
        ("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "sample"),
        (f"{KEY},{KEY}", "twice"),
        (f"{KEY},", "empty"),
    ],
    ids=["none", "example", "zeros", "specification", "twice", "comma"],
)
def test_a_key_that_protects_nothing_stops_the_start(key: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        local_keys(settings_with(encryption_key=SecretStr(key)))
    assert KEY not in str(caught.value)


def test_a_key_file_that_others_may_read_stops_the_start(key_file: Path) -> None:
    key_file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        local_keys(settings_with(encryption_key_file=key_file))
    key_file.chmod(0o600)
    assert check_keys(settings_with(encryption_key_file=key_file)) == "1 in the list"
    key_file.unlink()
    with pytest.raises(ConfigurationError, match="does not exist"):
        local_keys(settings_with(encryption_key_file=key_file))


def test_the_file_goes_before_the_variable(key_file: Path) -> None:
    other = new_encryption_key().reveal()
    found = local_keys(settings_with(encryption_key=SecretStr(other), encryption_key_file=key_file))
    assert found.ring_ids == local_keys(settings_with(encryption_key=SecretStr(KEY))).ring_ids


@pytest.mark.parametrize(
    "given",
    [
        {"encryption_key": SecretStr(KEY)},
        {"intake_private_key": SecretStr(KEY)},
        {"vault_token": SecretStr("hvs.x")},
    ],
    ids=["encryption", "intake", "vault"],
)
def test_pages_do_not_start_with_a_key(given: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="must not have") as caught:
        require_no_keys(settings_with(**given))
    assert KEY not in str(caught.value)


def test_pages_do_not_start_beside_a_key_file_that_they_can_read(key_file: Path) -> None:
    with pytest.raises(ConfigurationError, match="ENCRYPTION_KEY_FILE"):
        require_no_keys(settings_with(encryption_key_file=key_file))
    require_no_keys(settings_with(encryption_key_file=key_file.parent / "absent"))
    require_no_keys(settings_with())


def test_vault_settings_are_checked_before_anything_is_opened() -> None:
    for given in (
        {"vault_addr": "http://vault.example", "vault_token": SecretStr("t")},
        {"vault_addr": "https://vault.example"},
        {"vault_addr": "vault.example", "vault_token": SecretStr("t")},
    ):
        with pytest.raises(ConfigurationError, match="VAULT_"):
            check_keys(settings_with(**given))


def run(environment: dict[str, str], *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["keys", *words], env=environment)
    return result.exit_code, result.output


async def test_keys_are_changed_by_commands(tmp_path: Path, key_file: Path) -> None:
    settings = settings_with(data_dir=tmp_path / "data", encryption_key_file=key_file)
    credentials = local_keys(settings)
    async with open_store(settings) as store:
        await store.fleet.add_user(a_profile(ME))
        sealed = SecureCredentialStore(store, credentials)
        await sealed.put(ME, "metaapi_token", Secret("token"))
    environment = {
        "DATA_DIR": str(settings.data_dir),
        "ENCRYPTION_KEY_FILE": str(key_file),
        "CELL": CELL,
    }
    (old,) = credentials.ring_ids
    steps = [
        (("status",), 0, f"{old}  wraps  1 data keys"),
        (("retire", old), 2, "only key"),
        (("add",), 0, "is the first now, 2 in all"),
        (("retire", old), 2, "still wrapped"),
        (("status",), 0, f"{old}  opens  1 data keys"),
        (("rewrap",), 0, "1 data keys of 1 users"),
        (("rewrap",), 0, "0 data keys of 1 users"),
        (("retire", "00000000"), 2, "there is no key"),
        (("retire", old), 0, "out of use; 1 left"),
        (("renew", "--user", ME), 0, "1 secrets sealed"),
        (("renew", "--user", "u_nobody"), 2, "a user id is"),
    ]
    for words, status, said in steps:
        found, output = await asyncio.to_thread(run, environment, *words)
        assert (found, said in output) == (status, True), (words, output)
    async with open_store(settings) as store:
        again = SecureCredentialStore(store, local_keys(settings))
        assert await again.get(ME, "metaapi_token") == Secret("token")
        (entry,) = await store.user(ME).events.list()
        assert (entry.entry.actor, entry.entry.action) == ("operator", "data_key_renewed")
    key_file.write_text(KEY)
    found, output = await asyncio.to_thread(run, environment, "status")
    assert found == 1
    assert "MISSING  1 data keys cannot be opened" in output


def test_keys_in_a_variable_are_changed_by_hand_only() -> None:
    status, said = run({"ENCRYPTION_KEY": KEY, "ENCRYPTION_KEY_FILE": ""}, "add")
    assert (status, "only you can change" in said) == (2, True)
    vault = {"VAULT_ADDR": "https://v.example", "VAULT_TOKEN": "t"}
    status, said = run(vault, "add")
    assert (status, "rotate" in said) == (2, True)


def test_a_key_file_is_for_reading_by_one(key_file: Path) -> None:
    assert KeyFile(key_file).read() == Secret(KEY)


def test_children_get_what_was_set_wherever_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"ENCRYPTION_KEY={KEY}\nCOOKIE_SECURE=false\nWEB_PORT=8099\n")
    monkeypatch.setenv("CELL", "c9")
    handed_on = given_values(Settings())
    assert handed_on["ENCRYPTION_KEY"] == KEY
    assert (handed_on["COOKIE_SECURE"], handed_on["WEB_PORT"], handed_on["CELL"]) == (
        "false",
        "8099",
        "c9",
    )
    for name, value in handed_on.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".env").unlink()
    again = Settings()
    assert again.encryption_key.get_secret_value() == KEY
    assert (again.cookie_secure, again.web_port, again.cell) == (False, 8099, "c9")
