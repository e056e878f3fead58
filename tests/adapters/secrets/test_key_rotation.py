"""Keys change while everything runs: files read again, data keys wrapped again, old values."""

import asyncio
import copy
import json
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from kit.clock import LoopClock
from kit.counting_metrics import CountingMetrics
from kit.store_rows import CELL, ME, a_profile
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.secrets import (
    FernetKeyService,
    KeyFile,
    SecureCredentialStore,
    WatchedKeyService,
    new_encryption_key,
    parse_keys,
)
from signalfleet.app.rotate_keys import keys_in_use, require_unused, rewrap_all
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.sealed import SealedSecret, WrappedKey
from signalfleet.ports.secrets import Secret

OTHER = UserId("u_nbswy3dpo5xxe3de")
OLD, NEW = new_encryption_key(), new_encryption_key()
FIELD = "telegram_session"


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    path = tmp_path / "keys"
    path.touch(mode=0o600)
    file = KeyFile(path)
    file.write(OLD)
    return file


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore(cell=CELL)
    for user in (ME, OTHER):
        await store.fleet.add_user(a_profile(user))
    return store


@pytest.fixture
async def sealed(store: MemoryStore, file: KeyFile) -> SecureCredentialStore:
    """The credentials of a process that has run since before the keys changed."""
    keys = FernetKeyService.of_file(KeyFile(file.path))
    credentials = SecureCredentialStore(store, keys, open_old=keys.open_old)
    for user in (ME, OTHER):
        await credentials.put(user, FIELD, Secret(f"session of {user}"))
    return credentials


async def test_keys_are_rotated_while_secrets_are_in_use(
    store: MemoryStore, file: KeyFile, sealed: SecureCredentialStore
) -> None:
    failures = 0
    is_over = asyncio.Event()

    async def use() -> None:
        nonlocal failures
        while not is_over.is_set():
            for user in (ME, OTHER):
                found = await sealed.get(user, FIELD)
                failures += found != Secret(f"session of {user}")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(use())
        file.write(parse_keys(file.read()).with_first(NEW))
        keys = FernetKeyService.of_file(KeyFile(file.path))
        first, last = await keys.versions()
        with pytest.raises(RefusedError, match="2 data keys are still wrapped"):
            await require_unused(store, CELL, last)
        done = await rewrap_all(store, CELL, keys, sealed)
        assert (done.users, done.rewrapped, done.failed) == (2, 2, [])
        assert (await rewrap_all(store, CELL, keys, sealed)).rewrapped == 0
        assert await keys_in_use(store, CELL) == {first: 2}
        await require_unused(store, CELL, last)
        file.write(parse_keys(file.read()).without(last))
        await asyncio.sleep(0)
        is_over.set()
    assert failures == 0
    assert await sealed.get(ME, FIELD) == Secret(f"session of {ME}")
    with_old = SecureCredentialStore(store, FernetKeyService(OLD))
    with pytest.raises(RefusedError, match="not configured"):
        await with_old.get(ME, FIELD)


async def test_a_key_that_cannot_be_opened_is_left_and_named(
    store: MemoryStore, sealed: SecureCredentialStore
) -> None:
    strange = await FernetKeyService(new_encryption_key()).generate(OTHER, 1)
    (known,) = await store.user(OTHER).credentials.keys()
    await store.user(OTHER).credentials.swap_key(known, strange)
    keys = FernetKeyService(Secret(f"{NEW.reveal()},{OLD.reveal()}"))
    done = await rewrap_all(store, CELL, keys, sealed)
    assert (done.rewrapped, done.failed) == (1, [OTHER])


async def test_a_broken_key_file_leaves_the_keys_in_use(
    store: MemoryStore, file: KeyFile, sealed: SecureCredentialStore
) -> None:
    file.write(Secret("nonsense"))
    assert await sealed.get(ME, FIELD) is not None
    file.path.unlink()
    assert await sealed.get(ME, FIELD) is not None
    file.write(Secret(f"{NEW.reveal()},{OLD.reveal()}"))
    assert await sealed.get(ME, FIELD) is not None


async def test_a_key_file_that_others_may_read_is_refused(file: KeyFile) -> None:
    for mode in (0o640, 0o604, 0o660):
        file.path.chmod(mode)
        with pytest.raises(RefusedError, match="others may read"):
            file.read()
    file.path.chmod(0o400)
    assert file.read() == OLD
    file.path.chmod(0o600)
    file.path.write_bytes("schlüssel".encode())
    with pytest.raises(RefusedError, match="holds no key"):
        file.read()
    file.path.unlink()
    with pytest.raises(RefusedError, match="does not exist"):
        file.read()


def test_a_key_file_is_replaced_whole_and_stays_private(file: KeyFile) -> None:
    file.write(NEW)
    assert file.read() == NEW
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.path.parent.iterdir()] == ["keys"]


def test_the_last_key_and_an_unknown_key_are_not_retired() -> None:
    ring = parse_keys(OLD)
    with pytest.raises(RefusedError, match="only key"):
        ring.without(ring.ids[0])
    with pytest.raises(RefusedError, match="no key"):
        ring.without("00000000")
    with pytest.raises(RefusedError, match="twice"):
        parse_keys(ring.with_first(OLD))
    assert OLD.reveal() not in repr(ring)


def test_the_key_of_the_specification_is_no_key() -> None:
    with pytest.raises(RefusedError, match="sample"):
        parse_keys(Secret("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="))


def an_old_value(text: str) -> SealedSecret:
    token = Fernet(OLD.reveal()).encrypt(text.encode()).decode()
    return SealedSecret(field=FIELD, key_version=0, algorithm="fernet", nonce="", ciphertext=token)


async def test_an_old_value_is_read_once_and_sealed_like_all_others(
    store: MemoryStore, sealed: SecureCredentialStore
) -> None:
    rows = store.user(ME).credentials
    await rows.put(an_old_value("of old"))
    assert await sealed.get(ME, FIELD) == Secret("of old")
    (row,) = await rows.list()
    assert row.algorithm == "A256GCM"
    assert await sealed.get(ME, FIELD) == Secret("of old")


async def test_rewrapping_seals_old_values_too(
    store: MemoryStore, sealed: SecureCredentialStore
) -> None:
    await store.user(ME).credentials.put(an_old_value("of old"))
    done = await rewrap_all(store, CELL, FernetKeyService(OLD), sealed)
    assert done.modernised == 1
    (row,) = await store.user(ME).credentials.list()
    assert row.algorithm == "A256GCM"


async def test_an_old_value_of_an_unknown_key_is_refused(
    store: MemoryStore, sealed: SecureCredentialStore
) -> None:
    token = Fernet(Fernet.generate_key()).encrypt(b"x").decode()
    rows = store.user(ME).credentials
    row = an_old_value("x")
    await rows.put(
        SealedSecret(**{**{n: getattr(row, n) for n in row.__slots__}, "ciphertext": token})
    )
    with pytest.raises(RefusedError, match="old value"):
        await sealed.get(ME, FIELD)


async def test_a_suspected_data_key_is_replaced_and_gone(
    store: MemoryStore, sealed: SecureCredentialStore
) -> None:
    await sealed.put(ME, "metaapi_token", Secret("token"))
    (before,) = await store.user(ME).credentials.keys()
    assert await sealed.renew(ME) == 2
    (after,) = await store.user(ME).credentials.keys()
    assert (before.key_version, after.key_version) == (1, 2)
    assert await sealed.get(ME, FIELD) == Secret(f"session of {ME}")
    assert await sealed.get(ME, "metaapi_token") == Secret("token")
    assert await sealed.get(OTHER, FIELD) == Secret(f"session of {OTHER}")
    keys = FernetKeyService(OLD)
    assert await keys.unwrap(ME, before) != await keys.unwrap(ME, after)


async def test_a_secret_written_while_the_data_key_is_replaced_is_not_lost(
    store: MemoryStore, sealed: SecureCredentialStore
) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sealed.renew(ME))
        for number in range(20):
            tasks.create_task(sealed.put(ME, f"f{number % 3}", Secret(str(number))))
    await sealed.renew(ME)
    for number in range(3):
        assert await sealed.get(ME, f"f{number}") is not None
    assert len(await store.user(ME).credentials.keys()) == 1


class AwayKeys(FernetKeyService):
    """A key service that can be away."""

    is_away = False

    async def unwrap(self, user: UserId, key: WrappedKey) -> bytes:
        if self.is_away:
            raise TemporaryError("the key service cannot be reached")
        return await super().unwrap(user, key)

    async def generate(self, user: UserId, key_version: int) -> WrappedKey:
        if self.is_away:
            raise TemporaryError("the key service cannot be reached")
        return await super().generate(user, key_version)


async def test_a_key_service_that_is_away_stops_new_starts_and_not_what_runs(
    store: MemoryStore,
) -> None:
    keys, clock, metrics = AwayKeys(OLD), LoopClock(), CountingMetrics()
    kept = WatchedKeyService(keys, clock, metrics, kept_for=timedelta(minutes=15))
    credentials = SecureCredentialStore(store, kept)
    await credentials.put(ME, FIELD, Secret("mine"))
    await SecureCredentialStore(store, keys).put(OTHER, FIELD, Secret("theirs"))
    keys.is_away = True
    assert await credentials.get(ME, FIELD) == Secret("mine")
    with pytest.raises(TemporaryError):
        await credentials.get(OTHER, FIELD)
    now = clock.monotonic()
    clock.monotonic = lambda: now + 15 * 60 + 1  # type: ignore[method-assign]
    with pytest.raises(TemporaryError):
        await credentials.get(ME, FIELD)
    keys.is_away = False
    assert await credentials.get(ME, FIELD) == Secret("mine")


async def test_unwraps_are_counted_by_their_outcome(store: MemoryStore) -> None:
    keys, metrics = AwayKeys(OLD), CountingMetrics()
    watched = WatchedKeyService(keys, LoopClock(), metrics)
    credentials = SecureCredentialStore(store, watched)
    await credentials.put(ME, FIELD, Secret("mine"))
    await credentials.get(ME, FIELD)
    (row,) = await store.user(ME).credentials.keys()
    with pytest.raises(RefusedError):
        await watched.unwrap(OTHER, row)
    keys.is_away = True
    with pytest.raises(TemporaryError):
        await watched.unwrap(ME, row)
    name = "signalfleet_key_unwraps_total"
    outcomes = ("opened", "refused", "unreachable")
    assert [metrics.counts[name, (("outcome", one),)] for one in outcomes] == [2, 1, 1]


def test_a_secret_shows_itself_in_no_way() -> None:
    secret: Any = Secret("CANARY")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>20}",
        "%s" % secret,  # noqa: UP031 - the old way shows nothing either
        f"{[secret]}",
    ]
    assert not any("CANARY" in one for one in shown)
    for leak in (
        lambda: json.dumps(secret),
        lambda: pickle.dumps(secret),
        lambda: copy.copy(secret),
        lambda: copy.deepcopy({"s": secret}),
        lambda: dict(secret),
        lambda: vars(secret),
        lambda: list(secret),
        lambda: secret + "x",
    ):
        with pytest.raises(TypeError) as caught:
            leak()
        assert "CANARY" not in str(caught.value)
    with pytest.raises(AttributeError):
        secret._value = "other"
    assert secret == Secret("CANARY") != Secret("other")
    assert secret != "CANARY"
