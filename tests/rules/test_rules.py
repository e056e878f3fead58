"""The rules of the Firebase store: judged by targaryen, and by the fake that other tests use."""

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from kit.rtdb import tree
from kit.rtdb.rules import RuleBook
from rules.cases import NOW_MS, WHO, Case, cases, root
from signalfleet.adapters.firebase.rules import rules
from tools.firebase_rules import FILE, main

HERE = Path(__file__).parent
TARGARYEN = HERE / "node_modules" / "targaryen"
MISSING = (
    "the rules were not judged: this needs node and npm; then run "
    "`npm ci --prefix tests/rules` once"
)


@pytest.fixture(scope="module")
def node() -> str:
    program = shutil.which("node")
    if program is None or not TARGARYEN.is_dir():
        pytest.skip(MISSING)
    return program


def asked(case: Case) -> str:
    return f"{case.kind} {case.path or '/'} as {case.who}: {json.dumps(case.value)}"


def wrong(answers: list[bool]) -> list[str]:
    pairs = zip(cases(), answers, strict=True)
    return [f"{asked(case)} -> {got}" for case, got in pairs if got is not case.allowed]


def test_the_rules_file_is_what_its_source_makes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out
    assert json.loads(FILE.read_text(encoding="utf-8")) == rules()


@pytest.mark.timeout(120)
def test_targaryen_finds_every_right_and_no_other(node: str) -> None:
    document = {
        "rules": rules(),
        "root": root(),
        "now": NOW_MS,
        "cases": [case.asked for case in cases()],
    }
    run = subprocess.run(
        [node, "evaluate.js"],
        cwd=HERE,
        input=json.dumps(document),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert wrong(json.loads(run.stdout)) == []


def test_the_fake_judges_like_targaryen() -> None:
    book = RuleBook(rules(), NOW_MS)
    before = tree.taken(root())
    assert wrong([judged(book, before, case) for case in cases()]) == []


def judged(book: RuleBook, before: object, case: Case) -> bool:
    auth = WHO[case.who]
    path = tuple(part for part in case.path.split("/") if part)
    if case.kind == "read":
        return book.may_read(auth, before, path)
    below = case.value if case.kind == "update" else {"": case.value}
    after, places = before, []
    for key, value in below.items():
        places.append((*path, *(part for part in key.split("/") if part)))
        after = tree.put(after, places[-1], tree.taken(value))
    return all(book.may_write(auth, before, after, place) for place in places)


def test_the_table_holds_enough_of_both_answers() -> None:
    count = Counter(case.allowed for case in cases())
    assert count[True] > 100
    assert count[False] > 500
