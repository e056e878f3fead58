"""One worker per data directory."""

import os
import re
from pathlib import Path

import pytest

from signalfleet.bootstrap.lock import one_worker
from signalfleet.bootstrap.settings import ConfigurationError


def test_a_second_worker_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    with one_worker(tmp_path):
        words = re.escape(f"process {os.getpid()} already works on {tmp_path}")
        with pytest.raises(ConfigurationError, match=words), one_worker(tmp_path):
            pass
        assert (tmp_path / "worker.lock").read_text(encoding="ascii") == str(os.getpid())


def test_the_place_is_free_again_afterwards_also_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyError), one_worker(tmp_path):
        raise KeyError
    with one_worker(tmp_path):
        pass


def test_two_directories_have_two_workers(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with one_worker(tmp_path / "a"), one_worker(tmp_path / "b"):
        pass


def test_a_number_left_by_a_dead_worker_hinders_nobody(tmp_path: Path) -> None:
    (tmp_path / "worker.lock").write_text("999999 and more", encoding="ascii")
    with one_worker(tmp_path):
        assert (tmp_path / "worker.lock").read_text(encoding="ascii") == str(os.getpid())
