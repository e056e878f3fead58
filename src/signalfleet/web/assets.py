"""Static files, served under their digest, so that browsers may keep them for ever."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
PACKED: Final = frozenset({"css", "js", "svg"})
DIGEST_CHARS: Final = 12
ASSET_MARK: Final = "asset:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    url: str
    body: bytes
    media_type: str
    packed: bytes | None


class Assets:
    """All static files by name and by address."""

    def __init__(self, root: Traversable | None = None) -> None:
        folder = root or files("signalfleet.web") / "static"
        self._by_name: dict[str, Asset] = {}
        contents = dict(_contents(folder))
        # Style sheets name fonts by digest, so what they name is digested first.
        for name in sorted(contents, key=lambda name: name.endswith(".css")):
            self._by_name[name] = self._asset(name, contents[name])
        self._by_url = {asset.url: asset for asset in self._by_name.values()}

    def url(self, name: str) -> str:
        """Return the address of a file; KeyError for a name that does not exist."""
        return self._by_name[name].url

    def find(self, url: str) -> Asset | None:
        return self._by_url.get(url)

    def _asset(self, name: str, body: bytes) -> Asset:
        ending = name.rpartition(".")[2]
        if ending == "css":
            body = self._with_addresses(body.decode()).encode()
        mark = hashlib.sha256(body).hexdigest()[:DIGEST_CHARS]
        return Asset(
            url=f"/static/{mark}/{name}",
            body=body,
            media_type=TYPES[ending],
            packed=gzip.compress(body, mtime=0) if ending in PACKED else None,
        )

    def _with_addresses(self, sheet: str) -> str:
        for name, asset in self._by_name.items():
            sheet = sheet.replace(f"{ASSET_MARK}{name}", asset.url)
        return sheet


def _contents(folder: Traversable) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += [item for item in _contents(entry) if entry.name != "LICENSES"]
        elif entry.name.rpartition(".")[2] in TYPES:
            found.append((entry.name, entry.read_bytes()))
    return found
