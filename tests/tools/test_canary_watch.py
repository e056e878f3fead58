"""The suite's own search for secrets finds what a test leaks, and says where."""

import base64
import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit.canaries import Watch, planted, search

ROOT = Path(__file__).parents[2]
LEAKING = """
import base64, json, sys
from kit.canaries import WATCH, planted
from signalfleet.observability.metrics import PrometheusMetrics
from signalfleet.ports.secrets import Secret

def test_prints():
    print(f"signed in with {planted('session')}")

def test_writes_base64(tmp_path):
    token = Secret("of-no-mark-but-long")
    (tmp_path / "store.db-wal").write_bytes(b"x" + base64.b64encode(token.reveal().encode()))

def test_counts():
    labels = {"region": planted("token"), "code": "1"}
    PrometheusMetrics().count("signalfleet_metaapi_responses_total", **labels)

def test_shows():
    WATCH.hear("the answer to GET /x", planted("code").encode().hex())

def test_shares(tmp_path_factory):
    shared = tmp_path_factory.mktemp("shared") / "emergency.jsonl"
    shared.write_text(json.dumps({"note": "before " + planted("key")}))

def test_keeps_to_itself(tmp_path):
    (tmp_path / ".env").write_text("TELEGRAM_API_HASH=" + planted("hash"))
"""
HOOKS = """
from kit.canary_watch import no_secret_left, watch

def pytest_configure(config):
    watch(config)
"""


@pytest.mark.timeout(150)
def test_a_leak_anywhere_fails_the_run_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "test_leaks.py").write_text(LEAKING)
    (tmp_path / "conftest.py").write_text(HOOKS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    paths = os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests")))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "no:cacheprovider", "-rE", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "PYTEST_DEBUG_TEMPROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = ended.stdout
    shutil.rmtree(tmp_path / f"pytest-of-{getpass.getuser()}")
    assert ended.returncode == 1, said + ended.stderr
    for where in ("captured stdout call", "store.db-wal", "metrics", "the answer to GET /x"):
        assert f"in clear in: {where}" in said or f"/{where}" in said, where
    assert "emergency.jsonl" in said
    # One for each of the four tests, and one for what the session has shared.
    assert "6 passed, 5 errors" in said


@pytest.mark.parametrize(
    "shape",
    [
        str.encode,
        lambda text: text.encode()[::-1],
        lambda text: text.encode().hex().encode(),
        lambda text: text.encode().hex().upper().encode(),
        lambda text: base64.b64encode(text.encode()),
        lambda text: base64.urlsafe_b64encode(b"x" + text.encode()),
        lambda text: base64.b64encode(b"xy" + text.encode()),
    ],
    ids=["plain", "reversed", "hex", "HEX", "base64", "base64-1", "base64-2"],
)
def test_a_planted_secret_is_found_in_every_form(tmp_path: Path, shape: object) -> None:
    assert callable(shape)
    content = shape('{"session": "' + planted("telegram") + '"}')
    file = tmp_path / "deep" / "signalfleet.db"
    file.parent.mkdir()
    file.write_bytes(b"\0" * 100_000 + content)
    assert search(tmp_path) == [str(file)]
    file.write_bytes(content[:12])
    assert search(tmp_path) == []


def test_what_is_to_be_seen_may_be_shown() -> None:
    watch = Watch()
    watch.note("https://link.example/abcdef")
    watch.hear("a page", "follow https://link.example/abcdef")
    assert watch.leaks() == ["a page"]
    watch.may_show("https://link.example/abcdef")
    assert watch.leaks() == []
