"""Which worker a process is: always the same server, its own number, a life for each start."""

import shutil
from pathlib import Path

import pytest

from signalfleet.bootstrap.cores import cores
from signalfleet.bootstrap.lock import among_workers, one_supervisor, one_worker
from signalfleet.bootstrap.settings import ConfigurationError
from signalfleet.bootstrap.worker_id import server_id, worker_name


def test_a_server_keeps_its_id_and_a_copy_of_its_directory_is_another_one(tmp_path: Path) -> None:
    home = tmp_path / "data"
    home.mkdir()
    first = server_id(home)
    assert server_id(home) == first
    shutil.copytree(home, tmp_path / "copy")
    assert server_id(tmp_path / "copy") != first
    assert server_id(home) == first


def test_a_file_that_cannot_be_read_gives_a_new_id(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"server": 7', encoding="ascii")
    assert server_id(tmp_path) == server_id(tmp_path)


def test_each_start_of_a_number_is_a_new_life(tmp_path: Path) -> None:
    lives = []
    for _ in range(3):
        with worker_name(tmp_path, 1) as name:
            lives.append(name.life)
            assert str(name) == f"{server_id(tmp_path)}.1.{name.life}"
    assert lives == [1, 2, 3]


def test_a_number_that_is_taken_is_refused_and_without_one_the_next_is_free(tmp_path: Path) -> None:
    with worker_name(tmp_path) as first, worker_name(tmp_path) as second:
        assert (first.number, second.number) == (0, 1)
        with (
            pytest.raises(ConfigurationError, match="worker 0 works on"),
            worker_name(tmp_path, 0),
        ):
            pass
    with worker_name(tmp_path) as again:
        assert (again.number, again.life) == (0, 2)


def test_workers_share_a_directory_and_one_alone_shares_it_with_nobody(tmp_path: Path) -> None:
    with (
        among_workers(tmp_path, supervisor=4711),
        among_workers(tmp_path, supervisor=4711),
        pytest.raises(ConfigurationError, match="process 4711"),
        one_worker(tmp_path),
    ):
        pass
    with (
        one_worker(tmp_path),
        pytest.raises(ConfigurationError, match="already works"),
        among_workers(tmp_path),
    ):
        pass


def test_there_is_one_supervisor_of_a_directory(tmp_path: Path) -> None:
    with (
        one_supervisor(tmp_path),
        pytest.raises(ConfigurationError, match="stop it first"),
        one_supervisor(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("limit", "most"),
    [("100000 100000", 1), ("50000 100000", 1), ("max 100000", 10_000), ("nonsense", 10_000)],
    ids=["one", "half", "none", "unreadable"],
)
def test_the_limit_of_a_container_counts_as_its_cores(
    tmp_path: Path, limit: str, most: int
) -> None:
    path = tmp_path / "cpu.max"
    path.write_text(limit, encoding="ascii")
    assert 1 <= cores(path) <= most
