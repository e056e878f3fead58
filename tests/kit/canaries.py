"""Secrets that are planted in the tests, and the search for them in what a test leaves behind.

A planted secret carries the mark, so that it is found wherever it went, also inside of something
longer. Besides, every `Secret` of a test's own process is noted and looked for in that test.
"""

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

MARK: Final = "c4narYx"
SHORTEST: Final = 12
"""A shorter value stands in many places by chance."""
ITS_PLACE: Final = frozenset(
    {".env", "encryption.key", "encryption.keys", "backup.key"}
    | {"session.key", "keys", "nats.conf"}
)
"""Files that hold a key because they are the place of that key."""
NOT_OURS: Final = frozenset({"city"})
"""Folders of those who know the secrets anyway: the imitated Telegram and MetaApi."""
_AT_ONCE: Final = 1 << 24


def planted(name: str) -> str:
    """Return a secret of this name: the same in every run, another one for each name."""
    return f"{MARK}-{name}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def planted_token(name: str) -> str:
    """Return a secret in the three parts of a token of MetaApi."""
    return ".".join(planted(f"{name}-{part}") for part in ("head", "body", "sign"))


def disguises(secret: str) -> frozenset[bytes]:
    """Return how a secret of its own may look: as it is, in base64, in hex, in an address."""
    shapes: set[bytes] = set()
    raw = secret.encode(errors="surrogatepass")
    for one in (raw, raw[::-1]):
        shapes |= {one, one.hex().encode(), one.hex().upper().encode(), quote(one).encode()}
        for encoded in (base64.b64encode(one), base64.urlsafe_b64encode(one)):
            # Cut, for in a longer text the last characters differ.
            shapes.add(encoded.rstrip(b"=")[:-1])
    return frozenset(shapes)


def _inner_base64(text: bytes) -> Iterator[bytes]:
    """Return what every base64 text shows of a part, wherever in a group of three it begins."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + text)
        first = (before * 8 + 5) // 6
        last = (before + len(text)) * 8 // 6
        yield encoded[first:last]


MARKS: Final = frozenset(
    {*disguises(MARK), *_inner_base64(MARK.encode()), *_inner_base64(MARK.encode()[::-1])}
)


@dataclass(slots=True)
class Watch:
    """What one test has made of secrets and shown to others."""

    secrets: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    heard: dict[str, set[bytes]] = field(default_factory=dict)

    def clear(self) -> None:
        for known in (self.secrets, self.shown, self.heard):
            known.clear()

    def note(self, secret: object) -> None:
        if isinstance(secret, str) and len(secret) >= SHORTEST:
            self.secrets.add(secret)

    def may_show(self, secret: str) -> None:
        """Say that this one is there to be seen, as a link that the user is to follow."""
        self.shown.add(secret)

    def hear(self, where: str, content: str | bytes) -> None:
        """Keep what a page, a child process or a stand-in got to see, for the search."""
        raw = content if isinstance(content, bytes) else content.encode(errors="replace")
        self.heard.setdefault(where, set()).add(raw)

    def needles(self) -> frozenset[bytes]:
        return MARKS.union(*map(disguises, self.secrets - self.shown))

    def leaks(self, folder: Path | None = None) -> list[str]:
        """Return where secrets are that this test has made, in what was heard and in files."""
        needles = self.needles()
        found = [
            where
            for where, contents in self.heard.items()
            if any(holds(content, needles) for content in contents)
        ]
        return found if folder is None else [*found, *search(folder, needles)]


WATCH: Final = Watch()
"""Of the test that runs now."""


def holds(content: bytes, needles: Iterable[bytes]) -> bool:
    return any(needle in content for needle in needles)


def search(folder: Path, needles: Iterable[bytes] = MARKS) -> list[str]:
    """Return the files below a folder that hold one of the needles."""
    wanted = tuple(needles)
    return [str(file) for file in _files(folder) if _file_holds(file, wanted)]


def _files(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one not in NOT_OURS]
        yield from (Path(at, name) for name in names if name not in ITS_PLACE)


def _file_holds(file: Path, needles: tuple[bytes, ...]) -> bool:
    longest = max(map(len, needles))
    try:
        if not file.is_file():
            return False
        with file.open("rb") as opened:
            rest = b""
            while piece := opened.read(_AT_ONCE):
                if holds(rest + piece, needles):
                    return True
                rest = piece[-longest:]
    except OSError:  # It went while we looked, or it is a pipe.
        return False
    return False
