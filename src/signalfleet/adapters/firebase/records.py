"""Channels, accounts, settings, sealed credentials and the bot's record in Firebase."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from signalfleet.adapters.firebase.client import Row
from signalfleet.adapters.firebase.database import Corner, text, whole
from signalfleet.adapters.firebase.paths import chat_key, encode_key, path, slot_key
from signalfleet.adapters.firebase.rows import (
    account_text,
    channel_row,
    from_micros,
    require_aware,
    stored_account,
    stored_channel,
    stored_view,
    to_json,
    to_micros,
    view_text,
)
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, ChannelId
from signalfleet.ports.account_words import BROKERS, MODES
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.store import Account, AccountView, BotStatus, Channel

_COUNTER: Final = "newest"


def _require_version(row: Row | None, given: int) -> None:
    stored = whole(row or {}, "version")
    if stored != given:
        raise ConflictError(f"version {given} was read, version {stored} is stored")


@dataclass(frozen=True, slots=True)
class FirebaseChannels:
    _corner: Corner

    async def list(self) -> tuple[Channel, ...]:
        rows = await self._corner.rows("channels")
        return tuple(sorted(map(stored_channel, rows.values()), key=lambda one: one.chat))

    async def get(self, chat: ChannelId) -> Channel | None:
        row = await self._corner.row("channels", chat_key(chat))
        return None if row is None else stored_channel(row)

    async def put(self, channel: Channel) -> Channel:
        def replaced(found: Row | None) -> Row:
            _require_version(found, channel.version)
            marks = replace(channel, checkpoint=0, seen_max=0, pts_seen=None)
            old = marks if found is None else stored_channel(found)
            saved = replace(
                channel,
                version=channel.version + 1,
                checkpoint=old.checkpoint,
                seen_max=old.seen_max,
                pts_seen=old.pts_seen,
            )
            return channel_row(saved)

        row = await self._corner.change(("channels", chat_key(channel.chat)), replaced)
        if row is None:
            raise ConflictError("the channel was not saved")
        return stored_channel(row)


@dataclass(frozen=True, slots=True)
class FirebaseAccounts:
    _corner: Corner

    async def list(self) -> tuple[Account, ...]:
        rows = await self._corner.rows("account_info")
        return tuple(sorted(map(stored_account, rows.values()), key=lambda one: one.account_id))

    async def get(self, account: AccountId) -> Account | None:
        row = await self._corner.row("account_info", account)
        return None if row is None else stored_account(row)

    async def put(self, account: Account) -> Account:
        if account.broker not in BROKERS or account.mode not in MODES:
            raise DomainError("an account's broker or mode is not a known word")
        if account.mode == "LIVE":
            await self._corner.database.require_proof()
        kept = replace(account, version=account.version + 1)

        def saved(found: Row | None) -> Row:
            _require_version(found, account.version)
            view = {"view": found["view"]} if found and "view" in found else {}
            return {
                "body": account_text(kept),
                "version": kept.version,
                "broker": kept.broker,
                "mode": kept.mode,
                "state": kept.state,
                **view,
            }

        await self._corner.change(("account_info", account.account_id), saved, as_worker=True)
        return kept

    async def put_view(self, account: AccountId, view: AccountView, epoch: int) -> None:
        shown = view_text(view)
        node = encode_key(account)
        async with self._corner.writing():
            await self._corner.take_over(epoch)
            if await self._corner.row("account_info", account) is None:
                raise RefusedError("there is no such account")
            await self._corner.fenced(epoch, {f"account_info/{node}/view": shown})

    async def view(self, account: AccountId) -> AccountView | None:
        found = text(await self._corner.row("account_info", account) or {}, "view")
        return None if found is None else stored_view(found)


@dataclass(frozen=True, slots=True)
class FirebaseSettings:
    _corner: Corner

    async def get(self, scope: str) -> tuple[Mapping[str, object], int]:
        row = await self._corner.row("settings", scope) or {}
        doc: dict[str, object] = json.loads(text(row, "doc") or "{}")
        return doc, whole(row, "version")

    async def versions(self) -> Mapping[str, int]:
        rows = await self._corner.rows("settings")
        return {str(row["scope"]): whole(row, "version") for row in rows.values()}

    async def list(self) -> Mapping[str, Mapping[str, object]]:
        rows = await self._corner.rows("settings")
        return {str(row["scope"]): json.loads(str(row["doc"])) for row in rows.values()}

    async def put(self, scope: str, doc: Mapping[str, object], version: int) -> int:
        body = to_json(doc, "settings")

        def saved(found: Row | None) -> Row:
            _require_version(found, version)
            return {"scope": scope, "doc": body, "version": version + 1}

        await self._corner.change(("settings", scope), saved)
        return version + 1


@dataclass(frozen=True, slots=True)
class FirebaseBot:
    _corner: Corner

    async def status(self) -> BotStatus:
        row = await self._corner.row("bot") or {}
        wish, state = _part(row, "wish"), _part(row, "state")
        return BotStatus(
            wish_on=wish.get("on") is True,
            halted=row.get("halted") is True,
            state=BotState(text(state, "state") or BotState.OFF),
            reason=text(state, "reason"),
            since=from_micros(whole(state, "since")) if "since" in state else None,
            retry_at=from_micros(whole(state, "retry_at")) if "retry_at" in state else None,
            crashes=whole(state, "crashes"),
            wish_rev=await self._wish_rev(),
        )

    async def set_wish(self, *, on: bool, by: str) -> None:
        rtdb = await self._corner.writable()
        await rtdb.put(self._corner.path("bot", "wish"), {"on": on, "by": by})
        await self._announce()

    async def set_halted(self, *, halted: bool) -> None:
        rtdb = await self._corner.writable()
        await rtdb.put(self._corner.path("bot", "halted"), halted)
        await self._announce()

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
        require_aware(since, retry_at)
        row: Row = {
            "state": state.value,
            "since": to_micros(since),
            "crashes": crashes,
            "epoch": epoch,
        }
        if reason is not None:
            row["reason"] = reason
        if retry_at is not None:
            row["retry_at"] = to_micros(retry_at)
        async with self._corner.writing():
            await self._corner.fenced(epoch, {"bot/state": row})

    async def _wish_rev(self) -> int:
        database = self._corner.database
        entry = await database.entry(self._corner.user)
        if entry is None:
            return 0
        slot = slot_key(entry.cell, entry.slot)
        rev = await database.any().get(path("slots", slot, self._corner.user))
        return rev if isinstance(rev, int) else 0

    async def _announce(self) -> None:
        """Give the change the next number of the cell; the wish itself is written before.

        The rule lets the counter rise by one only, so both paths are written by one of all who
        took the same number, and numbers appear in their order.
        """
        database = self._corner.database
        entry = await database.entry(self._corner.user)
        if entry is None:
            return
        node = f"{path(slot_key(entry.cell, entry.slot))}/{path(self._corner.user)}"
        await database.count_up(
            "slots", f"{path(slot_key(entry.cell, _COUNTER))}/rev", lambda rev: {node: rev}
        )


def _part(row: Row, name: str) -> Row:
    value = row.get(name)
    return value if isinstance(value, dict) else {}
