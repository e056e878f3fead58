"""Each command as a person types it: what it prints, and what it says when it cannot."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from kit.product_process import run_cli
from signalfleet.cli.main import app

COMMANDS = (["run"], ["demo"], ["parse"], ["replay"], ["doctor"], ["keys"], ["keys", "new"])


def test_help_names_every_command_and_what_it_does(tmp_path: Path) -> None:
    ended = run_cli("--help", cwd=tmp_path)
    assert ended.returncode == 0
    for words in ("run ", "demo ", "parse ", "replay ", "doctor ", "keys "):
        assert f" {words}" in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_explains_itself(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


def test_an_unknown_command_is_named(tmp_path: Path) -> None:
    ended = run_cli("fly", cwd=tmp_path)
    assert ended.returncode == 2
    assert "No such command 'fly'" in ended.stderr


def test_keys_new_prints_one_usable_key_each_time_another(tmp_path: Path) -> None:
    first, second = (run_cli("keys", "new", cwd=tmp_path).stdout for _ in range(2))
    assert first != second
    text = b"sealed"
    assert Fernet(first.strip()).decrypt(Fernet(first.strip()).encrypt(text)) == text
    assert first.count("\n") == 1
