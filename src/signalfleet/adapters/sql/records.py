"""Channels, accounts, settings, sealed credentials and the bot's record, in SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from signalfleet.adapters.sql.codec import (
    decode_view,
    encode_view,
    from_json,
    maybe_micros,
    maybe_time,
    to_json,
    to_micros,
)
from signalfleet.adapters.sql.database import Database
from signalfleet.adapters.sql.rows import Params
from signalfleet.adapters.sql.session import Row, Session
from signalfleet.adapters.sql.texts import Statement
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import AccountId, ChannelId, UserId
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.sealed import SealedSecret, WrappedKey
from signalfleet.ports.store import (
    Account,
    AccountView,
    BotStatus,
    Channel,
    CopyMode,
)


async def _save(
    session: Session, add: Statement, save: Statement, params: Params, version: int
) -> None:
    """Insert a row of version 0, or update the one of that version; ConflictError otherwise."""
    if version == 0:
        touched = await session.run(add, params | {"version": 1})
    else:
        touched = await session.run(save, params | {"seen": version})
    if not touched:
        raise ConflictError(f"version {version} was read, another one is stored")


@dataclass(frozen=True, slots=True)
class SqlChannels:
    _database: Database
    _user: UserId

    async def list(self) -> tuple[Channel, ...]:
        sql, mine = self._database.sql.list_channels, {"user_id": self._user}
        rows = await self._database.rows(sql, mine)
        return tuple(map(_channel, rows))

    async def get(self, chat: ChannelId) -> Channel | None:
        sql, address = self._database.sql.get_channel, {"user_id": self._user, "chat_id": chat}
        row = await self._database.row(sql, address)
        return None if row is None else _channel(row)

    async def put(self, channel: Channel) -> Channel:
        sql = self._database.sql
        address: Params = {"user_id": self._user, "chat_id": channel.chat}
        params = address | {
            "kind": channel.kind,
            "title": channel.title,
            "access_hash": str(channel.access_hash),
            "noforwards": int(channel.is_protected),
            "mode": channel.mode,
        }

        async def operation(session: Session) -> Channel:
            await _save(session, sql.add_channel, sql.save_channel, params, channel.version)
            (row,) = await session.rows(sql.get_channel, address)
            return _channel(row)

        return await self._database.write(operation, hot=False)


@dataclass(frozen=True, slots=True)
class SqlAccounts:
    _database: Database
    _user: UserId

    async def list(self) -> tuple[Account, ...]:
        sql, mine = self._database.sql.list_accounts, {"user_id": self._user}
        rows = await self._database.rows(sql, mine)
        return tuple(map(_account, rows))

    async def get(self, account: AccountId) -> Account | None:
        row = await self._row(account)
        return None if row is None else _account(row)

    async def put(self, account: Account) -> Account:
        sql = self._database.sql
        address: Params = {"user_id": self._user, "account_id": account.account_id}
        params = address | {
            "broker": account.broker,
            "mode": account.mode,
            "metaapi_account_id": account.metaapi_account_id,
            "region": account.region,
            "server": account.server,
            "login_masked": account.login_masked,
            "currency": account.currency,
            "state": account.state,
        }

        async def operation(session: Session) -> Account:
            await _save(session, sql.add_account, sql.save_account, params, account.version)
            (row,) = await session.rows(sql.get_account, address)
            return _account(row)

        return await self._database.write(operation, hot=False)

    async def put_view(self, account: AccountId, view: AccountView, epoch: int) -> None:
        params = {
            "user_id": self._user,
            "account_id": account,
            "info": encode_view(view),
            "synced_at": to_micros(view.seen_at),
        }
        sql = self._database.sql.put_view

        async def operation(session: Session) -> None:
            if not await session.run(sql, params):
                raise RefusedError("there is no such account")

        await self._database.write_fenced(self._user, epoch, operation)

    async def view(self, account: AccountId) -> AccountView | None:
        row = await self._row(account)
        return None if row is None or row["info"] is None else decode_view(row["info"])

    async def _row(self, account: AccountId) -> Row | None:
        sql = self._database.sql.get_account
        address = {"user_id": self._user, "account_id": account}
        return await self._database.row(sql, address)


@dataclass(frozen=True, slots=True)
class SqlSettings:
    _database: Database
    _user: UserId

    async def get(self, scope: str) -> tuple[Mapping[str, object], int]:
        sql, address = self._database.sql.get_settings, {"user_id": self._user, "scope": scope}
        row = await self._database.row(sql, address)
        return ({}, 0) if row is None else (from_json(row["doc"]), row["version"])

    async def put(self, scope: str, doc: Mapping[str, object], version: int) -> int:
        sql = self._database.sql
        text = to_json(dict(doc), "settings")
        params: Params = {"user_id": self._user, "scope": scope, "doc": text}
        await self._database.write(
            lambda session: _save(session, sql.add_settings, sql.save_settings, params, version),
            hot=False,
        )
        return version + 1

    async def versions(self) -> Mapping[str, int]:
        sql, mine = self._database.sql.settings_versions, {"user_id": self._user}
        rows = await self._database.rows(sql, mine)
        return {row["scope"]: row["version"] for row in rows}

    async def list(self) -> Mapping[str, Mapping[str, object]]:
        sql, mine = self._database.sql.list_settings, {"user_id": self._user}
        rows = await self._database.rows(sql, mine)
        return {row["scope"]: from_json(row["doc"]) for row in rows}


@dataclass(frozen=True, slots=True)
class SqlCredentials:
    _database: Database
    _user: UserId

    async def get(self, field: str) -> SealedSecret | None:
        sql, address = self._database.sql.get_sealed, {"user_id": self._user, "field": field}
        row = await self._database.row(sql, address)
        return None if row is None else _sealed(row)

    async def list(self) -> tuple[SealedSecret, ...]:
        sql, mine = self._database.sql.list_sealed, {"user_id": self._user}
        return tuple(map(_sealed, await self._database.rows(sql, mine)))

    async def put(self, sealed: SealedSecret) -> None:
        params = self._params(sealed)
        sql = self._database.sql.put_sealed
        await self._database.write(lambda session: session.run(sql, params), hot=False)

    async def replace(self, old: SealedSecret, new: SealedSecret) -> bool:
        sql = self._database.sql.replace_sealed
        seen = {"old_nonce": old.nonce, "old_ciphertext": old.ciphertext}
        params = self._params(new) | seen
        return bool(await self._database.write(lambda one: one.run(sql, params), hot=False))

    def _params(self, sealed: SealedSecret) -> Params:
        return {
            "user_id": self._user,
            "field": sealed.field,
            "key_version": sealed.key_version,
            "alg": sealed.algorithm,
            "nonce": sealed.nonce,
            "ciphertext": sealed.ciphertext,
        }

    async def delete(self, field: str) -> None:
        sql, address = self._database.sql.delete_sealed, {"user_id": self._user, "field": field}
        await self._database.write(lambda session: session.run(sql, address), hot=False)

    async def key(self, key_version: int | None = None) -> WrappedKey | None:
        if key_version is None:
            sql, params = self._database.sql.newest_key, {"user_id": self._user, "limit": 1}
        else:
            sql = self._database.sql.get_key
            params = {"user_id": self._user, "key_version": key_version}
        row = await self._database.row(sql, params)
        return None if row is None else _wrapped_key(row)

    async def add_key(self, key: WrappedKey) -> WrappedKey:
        sql = self._database.sql
        address: Params = {"user_id": self._user, "key_version": key.key_version}
        params = address | {"kek_id": key.kek_id, "wrapped": key.wrapped}

        async def operation(session: Session) -> WrappedKey:
            await session.run(sql.add_key, params)
            (row,) = await session.rows(sql.get_key, address)
            return _wrapped_key(row)

        return await self._database.write(operation, hot=False)

    async def keys(self) -> tuple[WrappedKey, ...]:
        sql, mine = self._database.sql.list_keys, {"user_id": self._user}
        return tuple(map(_wrapped_key, await self._database.rows(sql, mine)))

    async def swap_key(self, old: WrappedKey, new: WrappedKey) -> bool:
        sql = self._database.sql.swap_key
        params = {
            "user_id": self._user,
            "key_version": new.key_version,
            "kek_id": new.kek_id,
            "wrapped": new.wrapped,
            "old_wrapped": old.wrapped,
        }
        return bool(await self._database.write(lambda one: one.run(sql, params), hot=False))

    async def delete_key(self, key_version: int) -> bool:
        sql = self._database.sql.delete_key
        address = {"user_id": self._user, "key_version": key_version}
        return bool(await self._database.write(lambda one: one.run(sql, address), hot=False))


@dataclass(frozen=True, slots=True)
class SqlBot:
    _database: Database
    _user: UserId

    async def status(self) -> BotStatus:
        sql, mine = self._database.sql.get_bot, {"user_id": self._user}
        row = await self._database.row(sql, mine)
        return BotStatus(
            wish_on=row is not None and row["wish"] == "ON",
            halted=row is not None and bool(row["halted"]),
            state=BotState.OFF if row is None else BotState(row["state"]),
            reason=None if row is None else row["reason"],
            since=None if row is None else maybe_time(row["since"]),
            retry_at=None if row is None else maybe_time(row["retry_at"]),
            crashes=0 if row is None else row["crashes"],
            wish_rev=0 if row is None else row["wish_rev"],
        )

    async def set_wish(self, *, on: bool, by: str) -> None:
        sql = self._database.sql.set_wish
        params = {"user_id": self._user, "wish": "ON" if on else "OFF", "wish_by": by}
        await self._database.write(lambda session: session.run(sql, params))

    async def set_halted(self, *, halted: bool) -> None:
        sql, params = self._database.sql.set_halted, {"user_id": self._user, "halted": int(halted)}
        await self._database.write(lambda session: session.run(sql, params))

    async def set_state(
        self,
        state: BotState,
        *,
        reason: str | None,
        since: datetime,
        retry_at: datetime | None,
        crashes: int,
        epoch: int,
    ) -> None:
        params = {
            "user_id": self._user,
            "state": state,
            "reason": reason,
            "since": to_micros(since),
            "retry_at": maybe_micros(retry_at),
            "crashes": crashes,
            "epoch": epoch,
        }
        sql = self._database.sql.set_state
        await self._database.write_fenced(
            self._user, epoch, lambda session: session.run(sql, params)
        )


def _channel(row: Row) -> Channel:
    return Channel(
        chat=row["chat_id"],
        kind=row["kind"],
        title=row["title"],
        access_hash=int(row["access_hash"]),
        mode=CopyMode(row["mode"]),
        checkpoint=row["checkpoint"],
        seen_max=row["seen_max"],
        pts_seen=row["pts_seen"],
        is_protected=bool(row["noforwards"]),
        version=row["version"],
    )


def _account(row: Row) -> Account:
    return Account(
        account_id=row["account_id"],
        broker=row["broker"],
        mode=row["mode"],
        metaapi_account_id=row["metaapi_account_id"],
        region=row["region"],
        server=row["server"],
        login_masked=row["login_masked"],
        currency=row["currency"],
        state=row["state"],
        version=row["version"],
    )


def _sealed(row: Row) -> SealedSecret:
    return SealedSecret(
        field=row["field"],
        key_version=row["key_version"],
        algorithm=row["alg"],
        nonce=row["nonce"],
        ciphertext=row["ciphertext"],
    )


def _wrapped_key(row: Row) -> WrappedKey:
    return WrappedKey(key_version=row["key_version"], kek_id=row["kek_id"], wrapped=row["wrapped"])
