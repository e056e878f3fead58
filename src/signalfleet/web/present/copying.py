"""The states of copying for a page: each account and each channel that is read."""

from dataclasses import dataclass

from signalfleet.app.leave_account import accounts_in_use
from signalfleet.domain.accounts.copy_states import CopyStates, account_scope, channel_scope
from signalfleet.domain.settings.choices import CopyState
from signalfleet.ports.store import CopyMode, UserStore
from signalfleet.web.present.formats import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """`live` counts orders and positions of ours that the state is about."""

    scope: str
    kind: str
    name: str
    state: CopyState
    live: int


async def state_rows(store: UserStore, states: CopyStates) -> list[StateRow]:
    live = await store.journal.live_trades()
    rows = [
        StateRow(
            scope=account_scope(one.account_id),
            kind="Account",
            name=one_line(one.login_masked or one.server or one.broker),
            state=states.at(account_scope(one.account_id)),
            live=sum(trade.account == one.account_id for trade in live),
        )
        for one in await accounts_in_use(store)
    ]
    signals = {trade.signal for trade in live}
    chats = {
        record.signal_id: record.chat
        for signal in sorted(signals)
        if (record := await store.journal.get_signal(signal)) is not None
    }
    rows += [
        StateRow(
            scope=channel_scope(one.chat),
            kind="Channel",
            name=one_line(one.title),
            state=states.at(channel_scope(one.chat)),
            live=sum(chats.get(trade.signal) == one.chat for trade in live),
        )
        for one in await store.channels.list()
        if one.mode is not CopyMode.OFF or channel_scope(one.chat) in states.by_scope
    ]
    return rows
