"""The commands about the database, as a person runs them."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from kit.product_process import call_cli
from signalfleet.adapters.sql import SCHEMA_REVISION


def used(path: Path) -> None:
    """Make a store that somebody has run: migrated, with an installation."""
    ended = call_cli("migrate", cwd=path.parent, variables={"STORE_URL": f"sqlite:///{path}"})
    assert ended.stdout == f"The store has schema {SCHEMA_REVISION}.\n"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO installation VALUES (1, 'in_0123456789abcdef')")


def test_a_store_is_copied_and_a_used_one_is_not_written_over(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    used(old)
    words = ("store", "copy", f"sqlite:///{old}", f"sqlite:///{new}", "--json")
    ended = call_cli(*words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["ok"], report["users"], report["different"]) == (True, 0, [])
    again = call_cli(*words, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    assert "in use" in again.stderr


def test_a_store_that_is_not_there_is_not_made_by_copying_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    ended = call_cli("store", "copy", f"sqlite:///{missing}", "sqlite:///x.db", cwd=tmp_path)
    assert ended.returncode == 2
    assert "there is no file" in ended.stderr
    assert not missing.exists()


def test_the_roles_are_printed_without_passwords(tmp_path: Path) -> None:
    ended = call_cli("store", "roles", "--database", "fleet", cwd=tmp_path)
    assert ended.returncode == 0
    assert "CREATE ROLE sf_definer NOLOGIN" in ended.stdout
    assert "CREATE DATABASE fleet OWNER sf_owner" in ended.stdout
    assert "PASSWORD" not in ended.stdout
