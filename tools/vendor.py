"""Fetch the browser files that the web role serves, as web/static/vendor/assets.lock names them.

`python tools/vendor.py` packs each package with npm, refuses a tarball or a file whose hash is not
the written one, and copies the named files. Nothing else of a package is kept, no script of it
runs. A hash of `-` marks a licence text, which the tarball's own integrity covers.
"""

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "src/signalfleet/web/static/vendor/assets.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class VendoredFile:
    inside: str
    kept_at: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    spec: str
    integrity: str
    files: list[VendoredFile] = field(default_factory=list)


def read_lock(text: str) -> list[Package]:
    """Read the lock: a line at the margin is a package, an indented one a file of it."""
    packages: list[Package] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split()
        if line.startswith(" "):
            inside, kept_at, sha256 = words
            packages[-1].files.append(VendoredFile(inside=inside, kept_at=kept_at, sha256=sha256))
        else:
            spec, integrity = words
            packages.append(Package(spec=spec, integrity=integrity))
    return packages


def _pack(spec: str, folder: Path) -> Path:
    command = ["npm", "pack", "--silent", "--ignore-scripts", spec]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603  # constant words from the lock
    return folder / done.stdout.strip().splitlines()[-1]


def _integrity(tarball: Path) -> str:
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    return "sha512-" + base64.b64encode(digest).decode()


def fetch(package: Package, folder: Path) -> None:
    """Copy the named files of one package; SystemExit if anything differs from the lock."""
    tarball = _pack(package.spec, folder)
    if _integrity(tarball) != package.integrity:
        raise SystemExit(f"{package.spec}: the tarball is not the locked one; nothing was copied")
    with tarfile.open(tarball) as archive:
        for wanted in package.files:
            member = archive.extractfile(f"package/{wanted.inside}")
            if member is None:
                raise SystemExit(f"{package.spec}: {wanted.inside} is not a file of the package")
            content = member.read()
            if wanted.sha256 not in ("-", hashlib.sha256(content).hexdigest()):
                raise SystemExit(f"{package.spec}: {wanted.inside} is not the locked file")
            target = ROOT / wanted.kept_at
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            print(f"{package.spec}: {wanted.kept_at}")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        for package in read_lock(LOCK.read_text()):
            fetch(package, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
