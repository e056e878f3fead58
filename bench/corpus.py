"""How well the labelled messages are read, family by family, with the rules as they are.

The families are dealt into folds by a hash of their names. The rules are frozen: nothing is learnt
from the other folds. Yet whoever wrote the rules had seen the development corpus, so the spread
over the folds shows how even the reading is; the figures are an upper bound for unseen messages.
"""

import sys
from hashlib import blake2b
from pathlib import Path
from typing import Final

from bench.report import Figure, Result
from signalfleet.bootstrap.language import load_parser

REPO: Final = Path(__file__).resolve().parents[1]
FOLDS: Final = 4
GROUPS: Final = {"open": "open", "follow-up": "follow_up", "inert": "inert"}


def fold_of(family: str) -> int:
    """Return the fold of a family; fold 0 was set aside while the rules were written."""
    return blake2b(family.encode(), digest_size=4).digest()[0] % FOLDS


def run() -> Result:
    """Score every fold on its own."""
    sys.path.append(str(REPO / "tests"))
    from kit.signal_corpus import corpus_folder, read_rows, score_rows  # noqa: PLC0415 - see above

    file = corpus_folder() / "dev.jsonl"
    if not file.is_file():
        return Result(ok=False, figures={"error": f"no corpus in {file.parent}"})
    parser = load_parser()
    folds: dict[int, list[dict[str, object]]] = {}
    for row in read_rows(file):
        folds.setdefault(fold_of(row["family"]), []).append(row)
    figures: dict[str, Figure] = {"folds": FOLDS, "rules": "frozen, written with this corpus seen"}
    ok = True
    for number, rows in sorted(folds.items()):
        score = score_rows(rows, parser)
        name = f"fold{number}"
        figures[f"{name}_families"] = len({row["family"] for row in rows})
        figures[f"{name}_messages"] = len(rows)
        for group, short in GROUPS.items():
            figures[f"{name}_{short}_exact_percent"] = round(100 * score.share(group), 1)
        figures[f"{name}_false_opens"] = len(score.false_opens)
        figures[f"{name}_wrong_sides"] = len(score.wrong_sides)
        ok = ok and not score.false_opens and not score.wrong_sides
    return Result(ok=ok, figures=figures)
