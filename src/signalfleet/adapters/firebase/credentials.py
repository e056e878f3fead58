"""Sealed credentials and wrapped keys in Firebase, where only workers may read or write them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from signalfleet.adapters.firebase.client import Json, Row
from signalfleet.adapters.firebase.database import Corner, whole
from signalfleet.adapters.firebase.paths import encode_key
from signalfleet.ports.sealed import SealedSecret, WrappedKey

NODE: Final = "mt5_credentials"
KEYS: Final = "_keys"


@dataclass(frozen=True, slots=True)
class FirebaseCredentials:
    _corner: Corner

    async def get(self, field: str) -> SealedSecret | None:
        row = await self._corner.row(NODE, field)
        return None if row is None else _secret(row)

    async def list(self) -> tuple[SealedSecret, ...]:
        rows = await self._corner.rows(NODE)
        found = (_secret(row) for key, row in rows.items() if key != KEYS)
        return tuple(sorted(found, key=lambda one: one.field))

    async def put(self, sealed: SealedSecret) -> None:
        rtdb = await self._corner.writable(as_worker=True)
        await rtdb.put(self._corner.path(NODE, sealed.field), {**asdict(sealed)})

    async def replace(self, old: SealedSecret, new: SealedSecret) -> bool:
        return await self._swap((NODE, old.field), asdict(old), asdict(new))

    async def delete(self, field: str) -> None:
        rtdb = await self._corner.writable(as_worker=True)
        await rtdb.put(self._corner.path(NODE, field), None)

    async def key(self, key_version: int | None = None) -> WrappedKey | None:
        if key_version is None:
            return next(reversed(await self.keys()), None)
        row = await self._corner.row(NODE, KEYS, version_key(key_version))
        return None if row is None else _key(row)

    async def keys(self) -> tuple[WrappedKey, ...]:
        rows = (await self._corner.row(NODE, KEYS) or {}).values()
        found = (_key(row) for row in rows if isinstance(row, dict))
        return tuple(sorted(found, key=lambda one: one.key_version))

    async def add_key(self, key: WrappedKey) -> WrappedKey:
        def added(found: Row | None) -> Row | None:
            return {**asdict(key)} if found is None else None

        stored = await self._corner.change((NODE, KEYS, version_key(key.key_version)), added)
        return key if stored is None else _key(stored)

    async def swap_key(self, old: WrappedKey, new: WrappedKey) -> bool:
        return await self._swap(
            (NODE, KEYS, version_key(old.key_version)), asdict(old), asdict(new)
        )

    async def delete_key(self, key_version: int) -> bool:
        if any(one.key_version == key_version for one in await self.list()):
            return False
        rtdb = await self._corner.writable(as_worker=True)
        await rtdb.put(self._corner.path(NODE, KEYS, version_key(key_version)), None)
        return True

    async def _swap(self, parts: tuple[str, ...], old: Row, new: Row) -> bool:
        swapped: list[bool] = []
        await self._corner.change(parts, _swapping(old, new, swapped))
        return swapped[-1]


def _swapping(old: Row, new: Row, swapped: list[bool]) -> Callable[[Row | None], Row | None]:
    def swap(found: Row | None) -> Row | None:
        stored: dict[str, Json] = {name: (found or {}).get(name) for name in old}
        swapped.append(stored == old)
        return new if swapped[-1] else None

    return swap


def version_key(key_version: int) -> str:
    return encode_key(f"v{key_version}")


def _secret(row: Row) -> SealedSecret:
    return SealedSecret(
        field=str(row["field"]),
        key_version=whole(row, "key_version"),
        algorithm=str(row["algorithm"]),
        nonce=str(row["nonce"]),
        ciphertext=str(row["ciphertext"]),
    )


def _key(row: Row) -> WrappedKey:
    return WrappedKey(
        key_version=whole(row, "key_version"),
        kek_id=str(row["kek_id"]),
        wrapped=str(row["wrapped"]),
    )
