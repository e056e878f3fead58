"""The foreign files that are served: exactly the locked ones, with their licences, from here."""

import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src/signalfleet/web/static"
VENDOR = STATIC / "vendor"


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor_tool", ROOT / "tools/vendor.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["vendor_tool"] = module
    spec.loader.exec_module(module)
    return module


def test_every_locked_file_is_there_unchanged(tool: ModuleType) -> None:
    packages = tool.read_lock(tool.LOCK.read_text())
    assert len(packages) == 5
    for package in packages:
        assert package.integrity.startswith("sha512-")
        for one in package.files:
            content = (ROOT / one.kept_at).read_bytes()
            assert one.sha256 in ("-", hashlib.sha256(content).hexdigest()), one.kept_at


def test_nothing_else_lies_beside_them(tool: ModuleType) -> None:
    packages = tool.read_lock(tool.LOCK.read_text())
    locked = {ROOT / one.kept_at for package in packages for one in package.files}
    there = {path for path in VENDOR.rglob("*") if path.is_file()}
    assert there - locked == {tool.LOCK}


def test_every_package_that_is_served_brings_its_licence() -> None:
    texts = [path.read_text() for path in (VENDOR / "LICENSES").iterdir()]
    assert len(texts) == 4
    assert sum("SIL Open Font License" in text for text in texts) == 1


def test_no_template_or_script_names_another_host() -> None:
    own = [
        *(STATIC.parent / "templates").rglob("*.html"),
        *STATIC.glob("*.js"),
        *STATIC.glob("*.css"),
    ]
    assert len(own) > 10
    for path in own:
        found = re.findall(r"https?://[\w.]+", path.read_text())
        assert found == [], path
