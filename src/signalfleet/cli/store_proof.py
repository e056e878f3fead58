"""`signalfleet doctor --store`: run the store's own tests on the configured Firebase project."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import typer

from signalfleet.bootstrap.firebase import open_firebase
from signalfleet.bootstrap.settings import ConfigurationError, Settings

CHECKOUT: Final = Path(__file__).parents[3]
SUITE: Final = CHECKOUT / "tests" / "contract" / "store"
RunSuite = Callable[[Settings], int | None]
NEVER: Final = "UNVERIFIED: Firebase store never ran against the real service"


async def prove(settings: Settings, run: RunSuite | None = None) -> int:
    """Run the contract suite; note it where live accounts look for it. Return the exit status."""
    if not settings.firebase_urls:
        typer.echo("nothing to prove: only STORE_URL=firebase:// has to be run on its service")
        return 0
    if not settings.firebase_test_url:
        raise ConfigurationError(
            "FIREBASE_TEST_URL is not set. Give an empty instance of the same project: the tests "
            "delete everything in it"
        )
    if settings.firebase_test_url in settings.firebase_urls:
        raise ConfigurationError(
            "FIREBASE_TEST_URL is one of FIREBASE_DATABASE_URLS, and the tests would empty it"
        )
    if not SUITE.is_dir():
        raise ConfigurationError(
            "the store's tests are not part of a package: run this in a checkout, after `make test`"
        )
    passed = (run or _run_suite)(settings)
    if passed is None:
        typer.echo(f"the tests failed, so live accounts stay off. {NEVER}")
        return 1
    addresses = (settings.firebase_test_url, *settings.firebase_urls)
    if not all(address.startswith("https://") for address in addresses):
        typer.echo(f"{passed} tests passed on something that is not Google's. {NEVER}")
        return 0
    store = await open_firebase(settings)
    try:
        at = datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251 - a command has no clock
        await store.note_proof({"at": at, "release": version("signalfleet"), "tests": passed})
    finally:
        await store.aclose()
    typer.echo(f"{passed} tests passed on the real service; live accounts are allowed from now on")
    return 0


def _run_suite(settings: Settings) -> int | None:
    """Return how many tests passed; None if one failed or did not run."""
    environment = {**os.environ, "FIREBASE_TEST_URL": settings.firebase_test_url}  # noqa: TID251 - handed on
    if settings.google_application_credentials is not None:
        account = settings.google_application_credentials.resolve()
        environment["GOOGLE_APPLICATION_CREDENTIALS"] = str(account)
    words = ["-m", "pytest", "-p", "no:cacheprovider", "-q", "-k", "firebase", str(SUITE)]
    run = subprocess.run(  # noqa: S603 - our own tests with our own interpreter
        [sys.executable, *words],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    typer.echo(run.stdout)
    summary = re.search(r"(\d+) passed", run.stdout)
    return int(summary[1]) if run.returncode == 0 and summary else None
