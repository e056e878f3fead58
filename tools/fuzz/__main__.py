"""`python -m tools.fuzz [--seconds N] [--corpus FOLDER]`: fuzz the parser with atheris.

atheris is no dependency of the project; CONTRIBUTING.md says how to get it. The first few of each
kind of finding are printed as lines that start with FINDING, and kept under build/fuzz.
"""

import argparse
import importlib
import json
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final

REPO: Final = Path(__file__).resolve().parents[2]
WORK: Final = REPO / "build" / "fuzz"
EXAMPLES: Final = 5
MAX_BYTES: Final = 1200


class Recorder:
    """Runs the target, counts, and keeps some examples of each kind of finding."""

    def __init__(self, check: Callable[[bytes], None]) -> None:
        self._check = check
        self._kinds: Counter[tuple[str, str]] = Counter()
        self.count = 0

    def __call__(self, data: bytes) -> None:
        self.count += 1
        try:
            self._check(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._keep((type(error).__name__, f"{place.name}:{place.lineno}"), data, error)

    def _keep(self, kind: tuple[str, str], data: bytes, error: Exception) -> None:
        self._kinds[kind] += 1
        if self._kinds[kind] > EXAMPLES:
            return
        number = self._kinds.total()
        (WORK / f"finding-{number}.bin").write_bytes(data)
        print(f"FINDING {number} {kind}: {error} in {data!r}", flush=True)


def write_seeds(target: ModuleType, corpus: Path, folder: Path) -> int:
    """Write the messages of the corpus and of our own cases as first inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [corpus / "dev.jsonl", *sorted((REPO / "tests/corpus/cases").glob("*.jsonl"))]
    number = 0
    for file in files:
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        for line in filter(str.strip, lines):
            row = json.loads(line)
            around = row.get("context") or {}
            data = target.seed(row["text"], around.get("reply_to"), around.get("edit_of"))
            (folder / f"seed-{number}").write_bytes(data)
            number += 1
    return number


def write_dictionary(words: list[bytes], file: Path) -> None:
    lines = ('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in words)
    file.write_text("\n".join(lines) + "\n", encoding="ascii")


def main() -> int:
    options = argparse.ArgumentParser(description="Fuzz the parser.")
    options.add_argument("--seconds", type=int, default=1200)
    options.add_argument("--corpus", type=Path, default=REPO.parent / "shared" / "corpus")
    wanted = options.parse_args()
    try:
        atheris = importlib.import_module("atheris")
    except ModuleNotFoundError:
        print("atheris is not installed here; see Fuzzing in CONTRIBUTING.md", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=["signalfleet.domain.signals"]):
        target = importlib.import_module("tools.fuzz.target")
    seeds = WORK / "corpus"
    print(f"{write_seeds(target, wanted.corpus, seeds)} seeds", flush=True)
    write_dictionary(target.dictionary(), WORK / "words.dict")
    parser = target.parser()
    arguments = [
        sys.argv[0],
        str(seeds),
        f"-dict={WORK / 'words.dict'}",
        f"-max_len={MAX_BYTES}",
        f"-max_total_time={wanted.seconds}",
        "-timeout=10",
        "-print_final_stats=1",
        f"-artifact_prefix={WORK}/",
    ]
    atheris.Setup(arguments, Recorder(lambda data: target.check(parser, data)))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
