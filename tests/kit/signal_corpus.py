"""The labelled messages: where they are, how predictions are scored against them."""

import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from signalfleet.domain.signals.labels import parse_line
from signalfleet.domain.signals.parse import Parser

REPO = Path(__file__).resolve().parents[2]
ACTIONS = {"open", "modify", "break_even", "close", "close_partial", "cancel"}
Z_95 = 1.645
Row = dict[str, Any]


def corpus_folder() -> Path:
    return Path(os.environ.get("SIGNALFLEET_CORPUS", REPO.parent / "shared" / "corpus"))


def read_rows(file: Path) -> list[Row]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def is_set_aside(family: str) -> bool:
    """Families whose texts were not looked at while the rules were written."""
    return blake2b(family.encode(), digest_size=4).digest()[0] % 4 == 0


@dataclass
class Score:
    """What came out of one corpus; the figures that the design page asks for."""

    counts: dict[str, int] = field(default_factory=dict)
    exact: dict[str, int] = field(default_factory=dict)
    false_opens: list[str] = field(default_factory=list)
    extra_opens: list[str] = field(default_factory=list)
    wrong_sides: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    ambiguous: int = 0
    ambiguous_accepted: int = 0

    def share(self, group: str) -> float:
        return self.exact.get(group, 0) / self.counts[group] if self.counts.get(group) else 1.0

    def lines(self, title: str) -> list[str]:
        shown = [
            f"{group} exact {self.exact.get(group, 0)}/{self.counts.get(group, 0)} "
            f"({100 * self.share(group):.1f} %)"
            for group in ("open", "follow-up", "inert")
        ]
        quiet = self.counts.get("follow-up", 0) + self.counts.get("inert", 0)
        bound = upper_bound(len(self.false_opens), quiet)
        safety = (
            f"    false opens {len(self.false_opens)}/{quiet} (95 % bound {100 * bound:.2f} %), "
            f"extra opens {len(self.extra_opens)}, wrong sides {len(self.wrong_sides)}, "
            f"ambiguous accepted {self.ambiguous_accepted}/{self.ambiguous}"
        )
        return [f"{title}: " + ", ".join(shown), safety]


def upper_bound(hits: int, trials: int) -> float:
    """One-sided 95 % bound of a rate; a zero is never shown without it."""
    if trials == 0:
        return 1.0
    if hits == 0:
        return 3 / trials
    rate, square = hits / trials, Z_95 * Z_95
    spread = Z_95 * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials * trials))
    return (rate + square / (2 * trials) + spread) / (1 + square / trials)


def score_rows(rows: Iterable[Row], parser: Parser) -> Score:
    score = Score()
    for row in rows:
        given = {"id": row["id"], "text": row["text"], "context": row["context"]}
        predicted = [
            label for label in parse_line(parser, given)["predict"] if label["kind"] in ACTIONS
        ]
        wanted = [label for label in as_list(row["expect"]) if label["kind"] in ACTIONS]
        _count(score, row, wanted, predicted)
    return score


def _count(score: Score, row: Row, wanted: list[Row], predicted: list[Row]) -> None:
    name = row["id"]
    is_exact = matches(wanted, predicted)
    if row.get("ambiguous"):
        score.ambiguous += 1
        score.ambiguous_accepted += is_exact or not predicted
        return
    opens = [label for label in wanted if label["kind"] == "open"]
    got = [label for label in predicted if label["kind"] == "open"]
    group = "open" if opens else "follow-up" if wanted else "inert"
    score.counts[group] = score.counts.get(group, 0) + 1
    if is_exact:
        score.exact[group] = score.exact.get(group, 0) + 1
    else:
        score.missed.append(name)
    if got and not opens:
        score.false_opens.append(name)
    if len(got) > len(opens):
        score.extra_opens.append(name)
    if any(one["side"] != other["side"] for one, other in zip(opens, got, strict=False)):
        score.wrong_sides.append(name)


def as_list(value: Any) -> list[Row]:
    return value if isinstance(value, list) else [value]


def matches(wanted: list[Row], predicted: list[Row]) -> bool:
    """Every label is predicted once and nothing is left over."""
    left = list(predicted)
    for label in wanted:
        found = next((other for other in left if same(label, other)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def same(gold: Row, got: Row) -> bool:
    if gold["kind"] != got["kind"]:
        return False
    return _RULES[gold["kind"]](gold, got)


def _number(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)


def _numbers(one: list[float | None] | None, other: list[float | None] | None) -> bool:
    left, right = one or [], other or []
    return len(left) == len(right) and all(map(_number, left, right))


def _symbol(gold: Row, got: Row) -> bool:
    return gold["symbol"] in (None, got["symbol"])


def _open(gold: Row, got: Row) -> bool:
    order = gold["order"] == got["order"] or (gold["order"] is None and got["order"] == "market")
    return (
        order
        and _symbol(gold, got)
        and gold["side"] == got["side"]
        and (gold["entry"] is None) == (got["entry"] is None)
        and _numbers(gold["entry"], got["entry"])
        and _number(gold["sl"], got["sl"])
        and _number(gold["sl_pips"], got["sl_pips"])
        and _numbers(gold["tps"], got["tps"])
        and _numbers(gold["tp_pips"], got["tp_pips"])
    )


def _modify(gold: Row, got: Row) -> bool:
    return (
        _symbol(gold, got)
        and _number(gold["sl"], got["sl"])
        and _numbers(gold["tps"], got["tps"])
        and _numbers(gold["entry"], got["entry"])
    )


def _close(gold: Row, got: Row) -> bool:
    scope = gold["scope"] != "all" or got["scope"] == "all" or got["symbol"] is None
    return scope and _symbol(gold, got)


def _part(gold: Row, got: Row) -> bool:
    if not _symbol(gold, got):
        return False
    if gold["fraction"] is None:
        return True
    return got["fraction"] is not None and abs(gold["fraction"] - got["fraction"]) < 0.011


_RULES: dict[str, Callable[[Row, Row], bool]] = {
    "open": _open,
    "modify": _modify,
    "break_even": _symbol,
    "close": _close,
    "cancel": _close,
    "close_partial": _part,
}
