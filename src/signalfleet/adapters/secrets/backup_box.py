"""Backups for elsewhere: AES-256-GCM in pieces, so that a cut or a swapped piece is noticed.

The nonce of a piece is 7 random bytes of the file, 4 of its number and one that marks the last.
"""

import base64
import binascii
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Secret

MAGIC: Final = b"SFBACK1\n"
PREFIX_BYTES: Final = 7
PIECE: Final = 1024 * 1024
TAG: Final = 16
KEY_BYTES: Final = 32


class BackupBox:
    """Closes and opens backups with one key, which is not ENCRYPTION_KEY."""

    def __init__(self, key: Secret) -> None:
        try:
            raw = base64.b64decode(key.reveal(), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        if len(raw) != KEY_BYTES or len(set(raw)) < 12:  # noqa: PLR2004 - one typed by hand
            raise RefusedError("BACKUP_KEY_FILE holds no key; make one with `signalfleet keys new`")
        self._cipher = AESGCM(raw)

    def seal(self, source: Path, target: Path) -> None:
        part = target.with_name(target.name + ".part")
        prefix = secrets.token_bytes(PREFIX_BYTES)
        try:
            with source.open("rb") as plain, part.open("xb") as sealed:
                part.chmod(0o600)
                sealed.write(MAGIC + prefix)
                for number, piece, is_last in _pieces(plain, PIECE):
                    nonce = _nonce(prefix, number, is_last=is_last)
                    sealed.write(self._cipher.encrypt(nonce, piece, MAGIC))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def open(self, source: Path, target: Path) -> None:
        """Write the opened backup; RefusedError for another key or a file that was changed."""
        if not is_sealed(source):
            raise RefusedError(f"{source} is not an encrypted backup")
        try:
            with source.open("rb") as sealed, target.open("xb") as plain:
                target.chmod(0o600)
                sealed.read(len(MAGIC))
                # One that is cut short gives another nonce, and then no piece opens.
                prefix = sealed.read(PREFIX_BYTES).ljust(PREFIX_BYTES, b"\0")
                for number, piece, is_last in _pieces(sealed, PIECE + TAG):
                    nonce = _nonce(prefix, number, is_last=is_last)
                    plain.write(self._cipher.decrypt(nonce, piece, MAGIC))
        except InvalidTag:
            target.unlink(missing_ok=True)
            raise RefusedError(f"{source} was changed, cut, or is of another BACKUP_KEY") from None
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def __repr__(self) -> str:
        return "BackupBox(***)"


def is_sealed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _pieces(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Yield pieces with their numbers; the last one, which may be empty, is marked."""
    piece, number, is_last = file.read(size), 0, False
    while not is_last:
        following = file.read(size)
        is_last = not following
        yield number, piece, is_last
        piece, number = following, number + 1


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + (b"\1" if is_last else b"\0")
