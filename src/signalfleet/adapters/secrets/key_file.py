"""The file that holds ENCRYPTION_KEY: read by the product while it runs, written by `keys add`."""

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Secret

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
MOST_BYTES: Final = 64 * 1024


class KeyFile:
    """Comma-separated keys for our eyes only. RefusedError says what is wrong with the file."""

    def __init__(self, path: Path, name: str = "ENCRYPTION_KEY_FILE") -> None:
        self.path = path
        self._name = name
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> Secret:
        """Read what is in it now."""
        try:
            with self.path.open("rb") as file:
                state = os.fstat(file.fileno())
                if os.name == "posix" and state.st_mode & OTHERS:
                    raise RefusedError(
                        f"others may read {self.path}: run chmod 600 {self.path}, and make a new "
                        "key if it was so for long"
                    )
                raw = file.read(MOST_BYTES)
        except FileNotFoundError:
            raise RefusedError(f"{self._name} {self.path} does not exist") from None
        except OSError as error:
            raise RefusedError(
                f"{self._name} {self.path} cannot be read: {error.strerror}"
            ) from error
        self._seen = _mark(state)
        try:
            return Secret(raw.decode("ascii").strip())
        except UnicodeDecodeError:
            raise RefusedError(f"{self._name} {self.path} holds no key") from None

    def has_changed(self) -> bool:
        """Tell whether the file is another one than was read last."""
        try:
            state = self.path.stat()
        except OSError:
            # Gone for a moment while it is replaced, or gone: what was read stays in use.
            return False
        changed = _mark(state) != self._seen
        if changed:
            self._seen = _mark(state)
        return changed

    def write(self, keys: Secret) -> None:
        """Replace the file as one step, so that nobody ever reads half of it."""
        folder = self.path.parent
        number, name = tempfile.mkstemp(prefix=".keys-", dir=folder)
        try:
            with os.fdopen(number, "w", encoding="ascii") as file:
                file.write(keys.reveal() + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _mark(state: os.stat_result) -> tuple[int, int, int]:
    return state.st_mtime_ns, state.st_size, state.st_ino
