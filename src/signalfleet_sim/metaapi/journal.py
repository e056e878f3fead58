"""The ground truth for drills: what was called, what was executed, which rule a caller broke."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from signalfleet_sim.metaapi.accounts import SimAccount

_KEPT_CALLS: Final = 50_000
_MAX_IN_FLIGHT: Final = 4
_READ_WINDOW_S: Final = 60.0
_READS_PER_WINDOW: Final = 40
"""Section 9 asks for 12 looks in the first two minutes of a doubt and 2 a minute after that; with
the calls of each look this many in a minute is more than any of its rows allows."""


class Journal:
    def __init__(self) -> None:
        self.calls: deque[dict[str, Any]] = deque(maxlen=_KEPT_CALLS)
        self.book: list[dict[str, Any]] = []
        self.violations: list[dict[str, Any]] = []
        self._sequence = 0

    def call(self, entry: dict[str, Any]) -> None:
        self._sequence += 1
        entry["seq"] = self._sequence
        self.calls.append(entry)

    def executed(self, entry: dict[str, Any]) -> None:
        entry["seq"] = len(self.book) + 1
        self.book.append(entry)

    def violation(self, rule: str, account: str | None, at: float, **facts: Any) -> None:  # noqa: ANN401  any JSON value
        self.violations.append({"rule": rule, "account": account, "at": at} | facts)

    def watch_call(self, account: SimAccount, now: float, *, is_read: bool) -> None:
        """Note too many calls at once and looks that come too fast."""
        if account.in_flight > _MAX_IN_FLIGHT:
            self.violation(
                "too_many_calls_at_once", account.account_id, now, in_flight=account.in_flight
            )
        if not is_read:
            return
        reads = [at for at in account.reads if now - at < _READ_WINDOW_S]
        reads.append(now)
        account.reads = reads
        if len(reads) == _READS_PER_WINDOW + 1:
            self.violation("polling_too_fast", account.account_id, now, reads=len(reads))

    def watch_trade(self, account: SimAccount, body: Mapping[str, Any], now: float) -> None:
        """Note what a careful caller never sends."""
        account_id = account.account_id
        if body.get("comment"):
            self.violation("comment_sent", account_id, now)
        if body.get("actionType") == "POSITION_MODIFY" and not body.keys() & {
            "stopLoss",
            "takeProfit",
            "trailingStopLoss",
        }:
            self.violation(
                "modify_without_levels", account_id, now, position=body.get("positionId")
            )
        client_id = body.get("clientId")
        if not isinstance(client_id, str):
            return
        if len(client_id) + len(str(body.get("comment") or "")) > 26:  # noqa: PLR2004  documented
            self.violation("client_id_too_long", account_id, now, client_id=client_id)
        if client_id in account.client_ids:
            self.violation("client_id_repeated", account_id, now, client_id=client_id)
        account.client_ids.add(client_id)

    def executed_by(self, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the executed commands whose fields are as wanted."""
        return _matching(self.book, wanted)

    def calls_by(self, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
        return _matching(self.calls, wanted)


def _matching(entries: Iterable[dict[str, Any]], wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        entry
        for entry in entries
        if all(str(entry.get(name)) == value for name, value in wanted.items())
    ]
