"""What is sealed opens for its user, field and key only, and never shows itself."""

import asyncio
import base64
import traceback
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from kit.store_rows import CELL, ME, a_profile
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.secrets import (
    FernetKeyService,
    SecureCredentialStore,
    new_encryption_key,
)
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.sealed import Credentials, SealedSecret, WrappedKey
from signalfleet.ports.secrets import CredentialStore, KeyService, Secret

OTHER = UserId("u_nbswy3dpo5xxe3de")
FIELD = "telegram_session"
CANARY = "CANARY-telegram_session-5f2a9c"
OLD_KEY, NEW_KEY = (new_encryption_key().reveal() for _ in range(2))


@pytest.fixture
def keys() -> KeyService:
    return FernetKeyService(Secret(OLD_KEY))


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore(cell=CELL)
    for user in (ME, OTHER):
        await store.fleet.add_user(a_profile(user))
    return store


@pytest.fixture
def credentials(store: MemoryStore, keys: KeyService) -> CredentialStore:
    return SecureCredentialStore(store, keys)


async def sealed_in(rows: Credentials) -> tuple[SealedSecret, WrappedKey]:
    sealed, key = await rows.get(FIELD), await rows.key()
    assert sealed is not None
    assert key is not None
    return sealed, key


async def test_a_secret_comes_back_to_its_user_only(credentials: CredentialStore) -> None:
    await credentials.put(ME, FIELD, Secret(CANARY))
    assert await credentials.get(ME, FIELD) == Secret(CANARY)
    assert await credentials.get(OTHER, FIELD) is None
    assert await credentials.get(ME, "metaapi_token") is None
    await credentials.put(ME, FIELD, Secret("newer"))
    assert await credentials.get(ME, FIELD) == Secret("newer")
    await credentials.delete(ME, FIELD)
    assert await credentials.get(ME, FIELD) is None


@given(text=st.text())
def test_any_text_comes_back_as_it_was(text: str) -> None:
    async def there_and_back() -> Secret | None:
        store = MemoryStore(cell=CELL)
        await store.fleet.add_user(a_profile(ME))
        credentials = SecureCredentialStore(store, FernetKeyService(Secret(OLD_KEY)))
        await credentials.put(ME, FIELD, Secret(text))
        return await credentials.get(ME, FIELD)

    assert asyncio.run(there_and_back()) == Secret(text)


async def test_the_same_secret_is_sealed_differently_each_time(
    store: MemoryStore, credentials: CredentialStore
) -> None:
    rows = store.user(ME).credentials
    await credentials.put(ME, FIELD, Secret(CANARY))
    first, _ = await sealed_in(rows)
    await credentials.put(ME, FIELD, Secret(CANARY))
    second, _ = await sealed_in(rows)
    assert first.nonce != second.nonce
    assert first.ciphertext != second.ciphertext


async def test_nothing_stored_shows_the_secret_or_the_data_key(
    store: MemoryStore, keys: KeyService, credentials: CredentialStore
) -> None:
    await credentials.put(ME, FIELD, Secret(CANARY))
    sealed, key = await sealed_in(store.user(ME).credentials)
    data_key = await keys.unwrap(ME, key)
    stored = repr((sealed, key))
    shown = (CANARY.encode(), CANARY.encode()[::-1], data_key, OLD_KEY.encode())
    for raw in shown:
        for form in (raw, base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
            assert form.decode(errors="replace").rstrip("=") not in stored
        assert raw.hex() not in stored


def flipped(text: str) -> str:
    """Change one bit of what the base64 says."""
    raw = bytearray(base64.urlsafe_b64decode(text))
    raw[len(raw) // 2] ^= 1
    return base64.urlsafe_b64encode(bytes(raw)).decode()


def shortened(text: str) -> str:
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(text)[:-1]).decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda row: replace(row, ciphertext=flipped(row.ciphertext)),
        lambda row: replace(row, ciphertext=shortened(row.ciphertext)),
        lambda row: replace(row, ciphertext="AAAA"),
        lambda row: replace(row, ciphertext=""),
        lambda row: replace(row, ciphertext="not base64!"),
        lambda row: replace(row, nonce=flipped(row.nonce)),
        lambda row: replace(row, nonce=""),
        lambda row: replace(row, algorithm="none"),
        lambda row: replace(row, key_version=2),
    ],
)
async def test_a_row_that_was_changed_is_refused(
    store: MemoryStore,
    credentials: CredentialStore,
    change: Callable[[SealedSecret], SealedSecret],
) -> None:
    rows = store.user(ME).credentials
    await credentials.put(ME, FIELD, Secret(CANARY))
    sealed, _ = await sealed_in(rows)
    await rows.put(change(sealed))
    with pytest.raises(RefusedError) as caught:
        await credentials.get(ME, FIELD)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_a_row_pasted_into_another_field_is_refused(
    store: MemoryStore, credentials: CredentialStore
) -> None:
    rows = store.user(ME).credentials
    await credentials.put(ME, FIELD, Secret(CANARY))
    sealed, _ = await sealed_in(rows)
    await rows.put(replace(sealed, field="metaapi_token"))
    with pytest.raises(RefusedError):
        await credentials.get(ME, "metaapi_token")


async def test_rows_and_key_pasted_to_another_user_are_refused(
    store: MemoryStore, credentials: CredentialStore
) -> None:
    await credentials.put(ME, FIELD, Secret(CANARY))
    sealed, key = await sealed_in(store.user(ME).credentials)
    theirs = store.user(OTHER).credentials
    await theirs.put(sealed)
    await theirs.add_key(key)
    with pytest.raises(RefusedError, match="another user"):
        await credentials.get(OTHER, FIELD)


async def test_a_row_pasted_to_a_user_with_an_own_key_is_refused(
    store: MemoryStore, credentials: CredentialStore
) -> None:
    await credentials.put(ME, FIELD, Secret(CANARY))
    await credentials.put(OTHER, FIELD, Secret("theirs"))
    sealed, _ = await sealed_in(store.user(ME).credentials)
    await store.user(OTHER).credentials.put(sealed)
    with pytest.raises(RefusedError):
        await credentials.get(OTHER, FIELD)


async def test_a_key_of_another_version_is_refused_at_the_field(
    store: MemoryStore, keys: KeyService, credentials: CredentialStore
) -> None:
    rows = store.user(ME).credentials
    await credentials.put(ME, FIELD, Secret(CANARY))
    sealed, _ = await sealed_in(rows)
    await rows.add_key(await keys.generate(ME, 2))
    await rows.put(replace(sealed, key_version=2))
    with pytest.raises(RefusedError):
        await credentials.get(ME, FIELD)


async def test_two_first_secrets_at_once_share_one_key(
    store: MemoryStore, credentials: CredentialStore
) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(credentials.put(ME, f"field{number}", Secret(str(number))))
    for number in range(8):
        assert await credentials.get(ME, f"field{number}") == Secret(str(number))
    newest = await store.user(ME).credentials.key()
    assert newest is not None
    assert newest.key_version == 1


async def test_a_new_first_key_still_opens_what_the_old_one_wrapped(
    store: MemoryStore, credentials: CredentialStore
) -> None:
    await credentials.put(ME, FIELD, Secret(CANARY))
    rotated = FernetKeyService(Secret(f"{NEW_KEY}, {OLD_KEY}"))
    assert await SecureCredentialStore(store, rotated).get(ME, FIELD) == Secret(CANARY)


async def test_a_rewrapped_key_needs_the_old_wrapping_key_no_more(keys: KeyService) -> None:
    wrapped = await keys.generate(ME, 1)
    rotated = FernetKeyService(Secret(f"{NEW_KEY},{OLD_KEY}"))
    rewrapped = await rotated.rewrap(ME, wrapped)
    assert rewrapped.kek_id == (await rotated.versions())[0] != wrapped.kek_id
    alone = FernetKeyService(Secret(NEW_KEY))
    assert await alone.unwrap(ME, rewrapped) == await keys.unwrap(ME, wrapped)
    with pytest.raises(RefusedError, match="not configured"):
        await alone.unwrap(ME, wrapped)


async def test_a_damaged_or_strange_wrapped_key_is_refused(keys: KeyService) -> None:
    wrapped = await keys.generate(ME, 1)
    fernet = Fernet(OLD_KEY)
    strange = (b"[]", b"{}", b"not json", b'["v1", "u_x", 5]', f'["v2","{ME}","AAAA"]'.encode())
    texts = [flipped(wrapped.wrapped), *(fernet.encrypt(one).decode() for one in strange)]
    for text in texts:
        with pytest.raises(RefusedError):
            await keys.unwrap(ME, replace(wrapped, wrapped=text))
    with pytest.raises(RefusedError, match="another user"):
        await keys.unwrap(OTHER, wrapped)


@pytest.mark.parametrize(
    "text",
    ["", "short", f"{OLD_KEY},", f"{OLD_KEY},wrong", "A" * 43 + "=", OLD_KEY[:-2], "ä" * 44],
    ids=["empty", "short", "trailing_comma", "second_wrong", "zeros", "cut", "not_ascii"],
)
def test_an_encryption_key_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(RefusedError, match="ENCRYPTION_KEY") as caught:
        FernetKeyService(Secret(text))
    shown = "".join(traceback.format_exception(caught.value, chain=True))
    assert OLD_KEY not in shown
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


async def test_a_secret_that_is_no_text_is_refused_without_showing_it(
    credentials: CredentialStore,
) -> None:
    with pytest.raises(DomainError) as caught:
        await credentials.put(ME, FIELD, Secret(CANARY + "\ud800"))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_the_key_service_shows_ids_only(keys: KeyService) -> None:
    assert OLD_KEY not in repr(keys)
    assert len((await keys.versions())[0]) == 8
