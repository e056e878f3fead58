"""Copy everything from one store to another, and prove that it arrived.

It may be stopped and started again: a user whose rows are the same already is left alone. The
target is in use from the last step on, which is made only when all was compared.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store_copy import CopiedRow, RowAccess, Tables

PAGE = 200


@dataclass(slots=True)
class CopyReport:
    """What was found and done; `different` names user and table of what did not arrive."""

    users: int = 0
    copied: int = 0
    same_already: int = 0
    removed: int = 0
    rows: int = 0
    different: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return not self.different


class CopyStore:
    def __init__(self, source: RowAccess, target: RowAccess) -> None:
        self._source = source
        self._target = target

    async def run(self, told: Callable[[CopyReport], None]) -> CopyReport:
        """Copy, compare, and only then hand the target over; `told` hears of each user."""
        if not await self._source.is_live():
            raise RefusedError("nothing was ever run on the store that is to be copied")
        if await self._target.is_live():
            raise RefusedError(
                "the store to copy to is in use, or a copy to it was finished; it must be an empty "
                "one, or one that a copy was begun to"
            )
        report = CopyReport()
        await self._remove_strangers(report)
        async for user in _users(self._source):
            report.users += 1
            await self._copy(user, report)
            told(report)
        *shared, last = self._source.shared_tables
        for table in shared:
            await self._target.replace_shared(table, await self._source.shared_rows(table))
        await self._compare(report, shared)
        if report.is_complete:
            await self._target.close_gaps()
            await self._target.replace_shared(last, await self._source.shared_rows(last))
        return report

    async def _remove_strangers(self, report: CopyReport) -> None:
        """Forget users whom an earlier try copied and who are gone from the source since."""
        known = {user async for user in _users(self._source)}
        strangers = [user async for user in _users(self._target) if user not in known]
        for user in strangers:
            await self._target.delete_user(user)
            report.removed += 1

    async def _copy(self, user: UserId, report: CopyReport) -> None:
        tables = await self._source.tables_of(user)
        report.rows += sum(map(len, tables.values()))
        if await self._differences(user, tables):
            await self._target.replace_user(user, tables)
            report.copied += 1
        else:
            report.same_already += 1

    async def _compare(self, report: CopyReport, shared: Sequence[str]) -> None:
        """Read both again: what changed in the source meanwhile must not be lost either."""
        async for user in _users(self._source):
            tables = await self._source.tables_of(user)
            different = await self._differences(user, tables)
            report.different += [f"{user} {name}" for name in different]
        for name in shared:
            ours = await self._source.shared_rows(name)
            if digest(ours) != digest(await self._target.shared_rows(name)):
                report.different.append(name)

    async def _differences(self, user: UserId, tables: Tables) -> list[str]:
        """Return the tables that the target does not give back as it would keep these."""
        there = await self._target.tables_of(user)
        wanted = self._target.as_kept(user, tables)
        return [
            name for name, rows in wanted.items() if digest(rows) != digest(there.get(name, ()))
        ]


def digest(rows: Sequence[CopiedRow]) -> tuple[int, str]:
    """Return count and content hash; the order does not count, for databases sort differently."""
    made = hashlib.blake2b(digest_size=16)
    for line in sorted(json.dumps(dict(row), sort_keys=True, ensure_ascii=False) for row in rows):
        made.update(line.encode(errors="surrogatepass"))
        made.update(b"\n")
    return len(rows), made.hexdigest()


async def _users(store: RowAccess) -> AsyncIterator[UserId]:
    after = ""
    while page := await store.users(after, PAGE):
        for user in page:
            yield user
        after = page[-1]
