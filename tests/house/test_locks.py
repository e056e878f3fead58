"""The locks pin and hash everything, name no address, and fit what is declared."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
BUILD_BACKEND = {"hatchling", "editables"}
"""In run.in beside the dependencies: `make` installs the project itself without a download."""

OPTIONAL_IMPORTS = {
    "MetaTrader5": "exists on Windows only, with a terminal beside it",
    "firebase_admin": "for the Firebase store only",
    "google": "its credentials come with firebase_admin",
}


PART_OF = {"starlette": "fastapi", "yarl": "aiohttp"}
"""Imported packages that are the public ground of a declared one, which chooses their version."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_lines(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("-r ")]


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return canonical(match[0])


def pins(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE)
    return {canonical(name): version for name, version in found}


def declared() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dependencies: list[str] = project["dependencies"]
    return dependencies


def test_there_are_two_locks() -> None:
    assert [lock.name for lock in LOCKS] == ["dev.lock", "run.lock"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_address(lock: Path) -> None:
    text = lock.read_text()
    options = re.findall(r"^\s*-.*|.*://.*|.*@ .*", re.sub(r"--hash=\S+", "", text), re.MULTILINE)
    assert [line for line in options if line.strip(" \\")] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_everything_in_a_lock_is_pinned_and_hashed(lock: Path) -> None:
    blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert blocks
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==\S+", block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


def test_run_in_is_the_list_of_the_project_and_the_build_backend() -> None:
    wanted = set(declared()) | BUILD_BACKEND
    assert set(requirement_lines(ROOT / "requirements/run.in")) == wanted


def test_each_declared_package_is_in_its_lock() -> None:
    for name in ("run", "dev"):
        wanted = {name_of(line) for line in requirement_lines(ROOT / f"requirements/{name}.in")}
        assert wanted <= pins(ROOT / f"requirements/{name}.lock").keys()


def test_both_locks_agree_on_what_both_have() -> None:
    run, dev = (pins(ROOT / f"requirements/{name}.lock") for name in ("run", "dev"))
    assert run.items() <= dev.items()


def imported_packages() -> Iterator[tuple[str, Path]]:
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.split(".")[0], path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.split(".")[0], path


def test_the_product_imports_nothing_that_is_not_declared() -> None:
    names = {name_of(requirement) for requirement in declared()}
    distributions = packages_distributions()
    ours = {"signalfleet", "signalfleet_sim"} | set(OPTIONAL_IMPORTS)
    undeclared = {
        f"{package} in {path.relative_to(ROOT)}"
        for package, path in imported_packages()
        if package not in sys.stdlib_module_names | ours
        and not names & {canonical(name) for name in distributions.get(package, [])}
        and PART_OF.get(package) not in names
    }
    assert undeclared == set()


def test_each_dependency_has_its_reason_written_down() -> None:
    text = (ROOT / "docs/dependencies.md").read_text()
    explained = {canonical(name) for name in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)}
    development = {name_of(line) for line in requirement_lines(ROOT / "requirements/dev.in")}
    assert explained == {name_of(line) for line in declared()} | BUILD_BACKEND | development
