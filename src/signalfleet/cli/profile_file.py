"""A channel's profile in a file, as the commands take it."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from signalfleet.app.profile_document import ProfileDocument, ProfileRefusedError
from signalfleet.bootstrap.language import load_profile_editor
from signalfleet.cli.printing import printable
from signalfleet.ports.errors import RefusedError

STANDARD_INPUT: Final = Path("-")


def load_profile(file: Path) -> ProfileDocument:
    """Read and check a profile's file; RefusedError says what is wrong with it."""
    try:
        return load_profile_editor().check(read_profile(file))
    except ProfileRefusedError as error:
        raise refused(error) from error


def read_profile(file: Path) -> dict[str, Any]:
    """Read the object of a file, unchecked."""
    try:
        written = sys.stdin.read() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
        doc = json.loads(written)
    except OSError as error:
        raise RefusedError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{file} holds no JSON: {error}") from error
    if not isinstance(doc, dict):
        raise RefusedError(f"{file} holds no object; see docs/channel-profiles.md")
    return doc


def refused(error: ProfileRefusedError) -> RefusedError:
    """Return the error that a command ends with: one line for each problem."""
    return RefusedError("\n".join(f"- {printable(problem)}" for problem in error.problems))
