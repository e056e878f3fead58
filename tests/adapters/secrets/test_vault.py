"""Data keys wrapped by Vault's transit engine, against its documented requests and answers."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from drills.vault import LoopbackVault, open_vault
from kit.store_rows import CELL, ME, a_profile
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.secrets import SecureCredentialStore, VaultKeyService, VaultSettings
from signalfleet.app.rotate_keys import keys_in_use, rewrap_all
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback

OTHER = UserId("u_nbswy3dpo5xxe3de")


@pytest.fixture
async def vault() -> AsyncIterator[LoopbackVault]:
    async with open_vault() as opened:
        yield opened


@pytest.fixture
async def keys(vault: LoopbackVault) -> AsyncIterator[VaultKeyService]:
    settings = VaultSettings(address=vault.address, token=Secret(vault.token))
    async with aclosing(await VaultKeyService.open(settings)) as opened:
        yield opened


async def a_store() -> MemoryStore:
    store = MemoryStore(cell=CELL)
    for user in (ME, OTHER):
        await store.fleet.add_user(a_profile(user))
    return store


async def test_a_data_key_comes_back_to_its_user_only(keys: VaultKeyService) -> None:
    wrapped = await keys.generate(ME, 1)
    assert wrapped.kek_id == "signalfleet:v1"
    data_key = await keys.unwrap(ME, wrapped)
    assert len(data_key) == 32
    assert data_key == await keys.unwrap(ME, wrapped)
    with pytest.raises(RefusedError, match="another user"):
        await keys.unwrap(OTHER, wrapped)
    with pytest.raises(RefusedError):
        await keys.rewrap(OTHER, wrapped)


async def test_two_data_keys_are_not_the_same(keys: VaultKeyService) -> None:
    one, two = [await keys.unwrap(ME, await keys.generate(ME, 1)) for _ in range(2)]
    assert one != two


async def test_rotation_in_vault_is_followed_while_everything_runs(
    vault: LoopbackVault, keys: VaultKeyService
) -> None:
    store = await a_store()
    credentials = SecureCredentialStore(store, keys)
    for user in (ME, OTHER):
        await credentials.put(user, "metaapi_token", Secret(f"of {user}"))
    vault.rotate()
    assert await keys.versions() == ("signalfleet:v2", "signalfleet:v1")
    done = await rewrap_all(store, CELL, keys, credentials)
    assert (done.users, done.rewrapped, done.failed) == (2, 2, [])
    assert await keys_in_use(store, CELL) == {"signalfleet:v2": 2}
    vault.retire_below(2)
    for user in (ME, OTHER):
        assert await credentials.get(user, "metaapi_token") == Secret(f"of {user}")


async def test_a_retired_version_opens_nothing(vault: LoopbackVault, keys: VaultKeyService) -> None:
    wrapped = await keys.generate(ME, 1)
    vault.rotate()
    vault.retire_below(2)
    with pytest.raises(RefusedError):
        await keys.unwrap(ME, wrapped)


@pytest.mark.parametrize(
    "text",
    ["", "gAAAAA", "vault:v1:", "vault:v0:AAAAAAAAAAAAAAAAAAAAAAAA", "vault:v9:" + "A" * 40],
    ids=["empty", "fernet", "no_body", "version_zero", "unknown_version"],
)
async def test_what_vault_did_not_wrap_is_refused(keys: VaultKeyService, text: str) -> None:
    wrapped = await keys.generate(ME, 1)
    with pytest.raises(RefusedError):
        await keys.unwrap(ME, replace(wrapped, wrapped=text))


async def test_a_changed_byte_is_refused(keys: VaultKeyService) -> None:
    wrapped = await keys.generate(ME, 1)
    swapped = "B" if wrapped.wrapped[30] != "B" else "C"
    text = wrapped.wrapped[:30] + swapped + wrapped.wrapped[31:]
    with pytest.raises(RefusedError):
        await keys.unwrap(ME, replace(wrapped, wrapped=text))


async def test_a_vault_that_is_away_is_trouble_that_passes(
    vault: LoopbackVault, keys: VaultKeyService
) -> None:
    wrapped = await keys.generate(ME, 1)
    for name in ("is_sealed", "is_hanging_up"):
        setattr(vault, name, True)
        for work in (keys.unwrap(ME, wrapped), keys.generate(ME, 1), keys.versions()):
            with pytest.raises(TemporaryError) as caught:
                await work
            assert vault.token not in str(caught.value)
            assert caught.value.__cause__ is None
        setattr(vault, name, False)
    assert await keys.unwrap(ME, wrapped)


async def test_a_token_that_vault_refuses_is_the_operators_trouble(vault: LoopbackVault) -> None:
    settings = VaultSettings(address=vault.address, token=Secret("hvs.wrong"))
    async with aclosing(await VaultKeyService.open(settings)) as keys:
        with pytest.raises(TemporaryError, match="token and policy"):
            await keys.generate(ME, 1)
        assert "wrong" not in repr(keys) + repr(settings)


async def test_a_key_that_binds_to_nobody_is_refused_at_start(vault: LoopbackVault) -> None:
    vault.is_derived = False
    settings = VaultSettings(address=vault.address, token=Secret(vault.token))
    with pytest.raises(RefusedError, match="derived"):
        await VaultKeyService.open(settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "http://vault.example"},
        {"address": "vault.example"},
        {"address": ""},
        {"key": "../sys"},
        {"mount": "a/b"},
        {"token": Secret("")},
    ],
    ids=["no_tls", "no_scheme", "empty", "key_is_a_path", "mount_is_a_path", "no_token"],
)
def test_settings_that_cannot_be_right_are_refused(changes: dict[str, object]) -> None:
    good: dict[str, object] = {"address": "https://vault.example:8200", "token": Secret("t")}
    VaultSettings(**good)  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match="VAULT_"):
        VaultSettings(**{**good, **changes})  # type: ignore[arg-type]
