"""The import contracts hold, and each one notices the breach that it is for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-logo", "--no-cache", "--config", str(folder / "pyproject.toml")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def broken(folder: Path) -> set[str]:
    lines = lint_imports(folder).stdout.splitlines()
    return {line.removesuffix(" BROKEN").strip() for line in lines if line.endswith(" BROKEN")}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sources in which a test may plant a breach."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


BREACHES = [
    ("signalfleet/domain/planted.py", "", "Order inside the domain"),
    ("signalfleet/domain/signals/planted.py", "asyncio", "The domain does no input or output"),
    ("signalfleet/domain/risk/planted.py", "time", "The domain does no input or output"),
    ("signalfleet/domain/trading/planted.py", "pydantic", "The domain does no input or output"),
    (
        "signalfleet/domain/signals/planted.py",
        "signalfleet.domain.trading.intents",
        "Order inside the domain",
    ),
    ("signalfleet/domain/risk/planted.py", "signalfleet.ports.store", "Imports point inward only"),
    ("signalfleet/ports/planted.py", "aiohttp", "Vendor clients live in adapters only"),
    ("signalfleet/app/planted.py", "telethon", "Vendor clients live in adapters only"),
    ("signalfleet/web/planted.py", "sqlalchemy", "Vendor clients live in adapters only"),
    ("signalfleet/app/planted.py", "signalfleet.adapters.memory", "Imports point inward only"),
    ("signalfleet/web/planted.py", "signalfleet.bots", "Imports point inward only"),
    ("signalfleet/bots/planted.py", "signalfleet.adapters.sql", "Imports point inward only"),
    ("signalfleet/observability/planted.py", "signalfleet.web", "Imports point inward only"),
    (
        "signalfleet/adapters/memory/planted.py",
        "signalfleet.adapters.telegram",
        "No adapter knows another",
    ),
    (
        "signalfleet/adapters/memory/planted.py",
        "signalfleet.app",
        "Adapters serve ports, they never call use cases",
    ),
    (
        "signalfleet/bootstrap/planted.py",
        "signalfleet_sim.market",
        "The product never imports the simulators, except the demo start",
    ),
    ("signalfleet/bootstrap/house.py", "signalfleet.web.app", "A worker loads no pages"),
    ("signalfleet/bootstrap/web.py", "signalfleet.bots.manager", "The pages load no bots"),
    (
        "signalfleet_sim/telegram/planted.py",
        "signalfleet.ports",
        "The simulators know the pure domain and nothing else of the product",
    ),
    (
        "signalfleet_sim/market/planted.py",
        "signalfleet.bootstrap",
        "The simulators know the pure domain and nothing else of the product",
    ),
    (
        "signalfleet_sim/telegram/planted.py",
        "signalfleet_sim.metaapi",
        "Order inside the simulators",
    ),
    (
        "signalfleet_sim/market/planted.py",
        "signalfleet_sim.scenario",
        "Order inside the simulators",
    ),
    ("signalfleet/unplaced/__init__.py", "", "Imports point inward only"),
    ("signalfleet/domain/unplaced/__init__.py", "", "Order inside the domain"),
    ("signalfleet_sim/unplaced/__init__.py", "", "Order inside the simulators"),
]


def test_all_contracts_hold() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


def make_package(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()


@pytest.mark.parametrize(("path", "imported", "contract"), BREACHES)
def test_a_planted_breach_is_named(checkout: Path, path: str, imported: str, contract: str) -> None:
    planted = checkout / "src" / path
    make_package(planted.parent)
    if imported.startswith("signalfleet.adapters."):
        make_package(checkout / "src" / imported.replace(".", "/"))
    planted.write_text(f"import {imported}\n" if imported else '"""Nobody gave this a place."""\n')
    assert contract in broken(checkout)


def test_only_the_demo_start_may_import_the_simulators(checkout: Path) -> None:
    demo = checkout / "src/signalfleet/bootstrap/demo.py"
    demo.write_text("import signalfleet_sim.market\n")
    assert broken(checkout) == set()


def test_a_cycle_is_named(checkout: Path) -> None:
    folder = checkout / "src/signalfleet/observability"
    (folder / "one.py").write_text("import signalfleet.observability.two\n")
    (folder / "two.py").write_text("import signalfleet.observability.one\n")
    assert "No cycles anywhere" in broken(checkout)


def test_every_contract_has_a_breach_that_proves_it() -> None:
    lines = lint_imports(ROOT).stdout.splitlines()
    names = {line.rsplit(" ", 1)[0] for line in lines if line.endswith((" KEPT", " BROKEN"))}
    proven = {contract for _, _, contract in BREACHES} | {"No cycles anywhere"}
    assert names == proven
