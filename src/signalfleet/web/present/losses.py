"""What each account lost since the day, the week and all began, and its rule pack."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from signalfleet.app.watch_losses import scope_of
from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.losses import LossBook, Period
from signalfleet.ports.store import UserStore
from signalfleet.web.present.formats import one_line

NAMES = {Period.DAY: "Day", Period.WEEK: "Week", Period.TOTAL: "In all"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRow:
    name: str
    since: datetime
    began: str
    change: str
    is_reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTable:
    account: str
    name: str
    rows: tuple[LossRow, ...]
    is_unreadable: bool = False


async def loss_tables(store: UserStore) -> list[LossTable]:
    """Return the books of the accounts that have any; changes count from the higher figure."""
    found = []
    for account in await store.accounts.list():
        doc, version = await store.settings.get(scope_of(account.account_id))
        if not version:
            continue
        name = one_line(account.login_masked or account.server or account.broker)
        view = await store.accounts.view(account.account_id)
        equity = view.facts.equity if view is not None else None
        try:
            book = LossBook.of_document(doc)
        except DomainError:
            found.append(
                LossTable(account=account.account_id, name=name, rows=(), is_unreadable=True)
            )
            continue
        rows = tuple(_row(book, period, equity) for period in Period if period in book.anchors)
        found.append(LossTable(account=account.account_id, name=name, rows=rows))
    return found


def _row(book: LossBook, period: Period, equity: Decimal | None) -> LossRow:
    anchor = book.anchors[period]
    began = max(anchor.balance, anchor.equity)
    change = "not known"
    if equity is not None and began > 0:
        change = f"{(equity - began) / began * 100:+.2f} %"
    return LossRow(
        name=NAMES[period],
        since=anchor.start,
        began=f"{began:.2f}",
        change=change,
        is_reached=period in book.reached,
    )
