"""`signalfleet doctor --store`: what it refuses to run, and what it does not note."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from kit.firebase import fake_rtdb
from kit.rtdb import FakeRtdb
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.cli import store_proof

pytestmark = pytest.mark.loopback


@pytest.fixture
def fake() -> Iterator[FakeRtdb]:
    with fake_rtdb() as fake:
        yield fake


def settings(url: str, test_url: str = "") -> Settings:
    return Settings(
        _env_file=None,
        store_url=SecretStr("firebase://"),
        firebase_database_urls=url,
        firebase_test_url=test_url,
    )


async def test_another_store_needs_no_proof(capsys: pytest.CaptureFixture[str]) -> None:
    assert await store_proof.prove(Settings(_env_file=None)) == 0
    assert "nothing to prove" in capsys.readouterr().out


async def test_an_instance_in_use_is_never_emptied(fake: FakeRtdb) -> None:
    with pytest.raises(ConfigurationError, match="FIREBASE_TEST_URL is not set"):
        await store_proof.prove(settings(fake.url))
    with pytest.raises(ConfigurationError, match="would empty it"):
        await store_proof.prove(settings(fake.url, fake.url))


async def test_a_run_on_something_that_is_not_googles_is_not_noted(
    fake: FakeRtdb, capsys: pytest.CaptureFixture[str]
) -> None:
    scratch = settings(fake.url, "http://127.0.0.1:1/?ns=scratch")
    assert await store_proof.prove(scratch, lambda _: 103) == 0
    assert store_proof.NEVER in capsys.readouterr().out
    assert fake.root is None


async def test_a_run_that_failed_is_not_noted(
    fake: FakeRtdb, capsys: pytest.CaptureFixture[str]
) -> None:
    scratch = settings(fake.url, "https://scratch.example")
    assert await store_proof.prove(scratch, lambda _: None) == 1
    assert "live accounts stay off" in capsys.readouterr().out
    assert fake.root is None
