"""What is written about the project is so: commands, settings, links."""

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import pytest
import typer
from pydantic import SecretStr
from typer.core import TyperGroup

from signalfleet.bootstrap.settings import Settings
from signalfleet.cli.main import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "changelog.d/*.md", "deploy/**/*.md")
    for path in ROOT.glob(pattern)
)
SOURCES = sorted((ROOT / "src").rglob("*.py"))
NOT_OURS = {".git", ".venv", ".hypothesis", "var", "build", "dist", "node_modules", "__pycache__"}


def our_files() -> Iterator[Path]:
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(p in NOT_OURS or p.endswith("_cache") for p in parts):
            yield path


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def env_example() -> dict[str, str]:
    text = (ROOT / ".env.example").read_text()
    lines = re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE)
    assert len(lines) == len(dict(lines)), "a name stands twice"
    return dict(lines)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_command_in_a_document_exists(document: Path) -> None:
    code = re.findall(r"`[^`\n]+`|^    .+$|^```[^`]*^```", document.read_text(), re.MULTILINE)
    named = {name for part in code for name in re.findall(r"\bmake ([a-z-]+)", part)}
    assert named <= targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def commands_that_are_written_down() -> set[str]:
    makefile = (ROOT / "Makefile").read_text()
    found = set(re.findall(r"\$\(BIN\)/signalfleet ([a-z][a-z0-9]*)", makefile))
    in_code = re.compile(r"(?:`|^    )signalfleet ([a-z][a-z0-9]*)", re.MULTILINE)
    for document in [*DOCUMENTS, *SOURCES, ROOT / ".env.example"]:
        found |= set(in_code.findall(document.read_text()))
    return found


def test_every_command_that_is_written_down_exists() -> None:
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    assert commands_that_are_written_down() <= command.commands.keys()


def test_each_make_target_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    described = set(re.findall(r"^([a-z-]+):.* ## \S", makefile, re.MULTILINE))
    assert described == set(phony[1].split())


def shown(default: object) -> str:
    """A default as a person would write it into `.env`."""
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, Enum):
        return str(default.value)
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_env_example_lists_exactly_the_settings_with_their_defaults() -> None:
    fields = Settings.model_fields.items()
    assert env_example() == {name.upper(): shown(field.default) for name, field in fields}


def test_the_readme_speaks_of_settings_that_exist() -> None:
    row = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \|.*\| (?:`(.*)`|none) \|$", re.MULTILINE)
    rows = dict(row.findall((ROOT / "README.md").read_text()))
    assert rows
    assert rows.items() <= env_example().items()


def test_env_example_holds_no_secret() -> None:
    for name, value in env_example().items():
        if re.search(r"KEY|TOKEN|SECRET|PASSWORD|HASH", name):
            assert value == "", f"{name} must be empty in an example"


def test_nothing_names_a_folder_of_somebody_s_machine() -> None:
    # /home/me is anybody's, and so a fair sample.
    roots = "work|root|home|Users|opt|mnt"
    path_of_a_machine = re.compile(rf"(?<![\w.*}}$)~>\]-])/(?:{roots})/(?!me\b)[a-z]")
    found = []
    for path in our_files():
        try:
            text = path.read_text(encoding="utf8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if path_of_a_machine.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_no_file_names_a_package_index() -> None:
    # Split, so that this file does not hold them.
    option = re.compile("--(?:extra-)?index" + "-url|--find" + "-links")
    found = [
        str(path.relative_to(ROOT))
        for path in our_files()
        if path.suffix in {".lock", ".in", ".toml", ".cfg", ".yaml", ".yml", ".txt", ""}
        and option.search(path.read_text(errors="replace"))
    ]
    assert found == []


def test_decisions_are_numbered_without_gaps_and_have_one_shape() -> None:
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert decisions
    for number, path in enumerate(decisions, start=1):
        assert path.name.startswith(f"{number:04d}-")
        text = path.read_text()
        assert text.startswith(f"# {number}. ")
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Why", "Decision", "What follows"]
