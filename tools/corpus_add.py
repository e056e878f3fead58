"""`python -m tools.corpus_add FILE [options] < message.txt`: keep a message as a regression case.

The case is written to tests/corpus/cases/FILE.jsonl. Its label is what `--expect` says, in the
notation of the corpus, or with `--as-read` the present reading, after you have looked at it.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.signals.labels import parse_line

CASES: Final = Path(__file__).resolve().parents[1] / "tests" / "corpus" / "cases"
KINDS: Final[dict[str, dict[str, Any]]] = {
    "open": {
        "kind": "open",
        "symbol": None,
        "side": None,
        "order": None,
        "entry": None,
        "sl": None,
        "tps": [],
        "sl_pips": None,
        "tp_pips": [],
        "risk_percent": None,
        "lot": None,
        "leverage": None,
    },
    "modify": {
        "kind": "modify",
        "symbol": None,
        "sl": None,
        "tps": None,
        "entry": None,
        "tp_index": None,
        "sl_ref": None,
    },
    "break_even": {"kind": "break_even", "symbol": None, "price": None},
    "close": {"kind": "close", "symbol": None, "side": None, "scope": None},
    "cancel": {"kind": "cancel", "symbol": None, "side": None, "scope": None},
    "close_partial": {"kind": "close_partial", "symbol": None, "fraction": None, "tp_index": None},
    "hit": {"kind": "hit", "symbol": None, "what": None, "index": None},
    "none": {"kind": "none"},
    "review": {"kind": "review"},
}
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")


class CaseError(Exception):
    """A case that cannot be kept; the text says why."""


def label(given: dict[str, Any]) -> dict[str, Any]:
    """Complete a label that names only what it expects."""
    kind = given.get("kind")
    if kind not in KINDS:
        raise CaseError(f"kind {kind!r} is none of: {', '.join(KINDS)}")
    unknown = sorted(set(given) - set(KINDS[kind]))
    if unknown:
        raise CaseError(f"{kind} has no {', '.join(unknown)}; it has {', '.join(KINDS[kind])}")
    whole = KINDS[kind] | given
    if kind == "open" and whole["side"] not in {"buy", "sell"}:
        raise CaseError("an open needs its side: buy or sell")
    return whole


def expected(text: str) -> dict[str, Any] | list[dict[str, Any]]:
    """Read a label, or a list of them, from JSON."""
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise CaseError(f"--expect is no JSON: {error}") from error
    several = given if isinstance(given, list) else [given]
    if not several or not all(isinstance(one, dict) for one in several):
        raise CaseError("--expect is a label or a list of labels")
    labels = [label(one) for one in several]
    return labels if len(labels) > 1 else labels[0]


def add(row: dict[str, Any], layout: str, folder: Path) -> str:
    """Write one case behind the others of its file; return its id."""
    if not NAME.fullmatch(layout):
        raise CaseError(f"{layout!r} is no name for a file: small letters, digits and _")
    file = folder / f"{layout}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    rows = [json.loads(line) for line in lines if line.strip()]
    for known in rows:
        if (known["text"], known["context"]) == (row["text"], row["context"]):
            raise CaseError(f"the message is there already: {known['id']}")
    numbers = [int(known["id"].rpartition("-")[2]) for known in rows]
    family = f"own.{layout}"
    name = f"{family}-{max(numbers, default=0) + 1:02}"
    whole = {"id": name, "lang": row["lang"], "family": family} | row
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(whole, ensure_ascii=False) + "\n")
    return name


def main(argv: Sequence[str] | None = None, folder: Path = CASES) -> int:
    options = argparse.ArgumentParser(description="Keep the message on standard input as a case.")
    options.add_argument("layout", help="the file in tests/corpus/cases, without .jsonl")
    options.add_argument("--lang", default="en")
    options.add_argument("--reply-to", help="the text of the message that it answers")
    options.add_argument("--edit-of", help="the text that it had before")
    options.add_argument("--note", default="")
    how = options.add_mutually_exclusive_group(required=True)
    how.add_argument("--expect", help="""the label as JSON, for example '{"kind": "none"}'""")
    how.add_argument("--as-read", action="store_true", help="the present reading is right")
    given = options.parse_args(argv)
    text = sys.stdin.read().rstrip("\n")
    if not text.strip():
        options.error("not kept: there is no message on standard input")
    around = {"reply_to": given.reply_to, "edit_of": given.edit_of}
    context = {key: value for key, value in around.items() if value is not None} or None
    read = parse_line(load_parser(), {"id": "", "text": text, "context": context})["predict"]
    try:
        wanted = (read if len(read) > 1 else read[0]) if given.as_read else expected(given.expect)
        row = {"lang": given.lang, "text": text, "context": context, "expect": wanted}
        name = add(row | {"note": given.note}, given.layout, folder)
    except CaseError as error:
        print(f"not kept: {error}", file=sys.stderr)
        return 2
    print(f"kept as {name}")
    print(f"expected: {json.dumps(wanted, ensure_ascii=False)}")
    print(f"read now: {json.dumps(read, ensure_ascii=False)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
