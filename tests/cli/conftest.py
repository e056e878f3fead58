"""What commands stumble over, and a product that does not run."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from kit.canaries import planted
from kit.store_rows import CELL, ME, a_profile
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.store import open_store


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port: int = listening.getsockname()[1]
        yield port


@pytest.fixture
async def resting(tmp_path: Path) -> Settings:
    """A product that does not run, with one user."""
    made = Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        run_dir=tmp_path / "run",
        state_dir=tmp_path / "state",
        cell=CELL,
        telegram_api_id=1,
        telegram_api_hash=planted("api-hash"),
        encryption_key=Fernet.generate_key().decode(),
    )
    async with open_store(made) as store:
        await store.fleet.add_user(a_profile(ME))
    return made
