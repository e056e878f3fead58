"""Figures over many seeds, as one JSON line between processes."""

import json
from dataclasses import asdict, dataclass, field
from typing import Self

from drills.sim.run import SeedReport


@dataclass(slots=True)
class Figures:
    """`failed` are the seeds that broke a law."""

    seeds: int = 0
    entries: int = 0
    executed: int = 0
    lives: int = 0
    unsure: int = 0
    virtual_s: float = 0.0
    failed: list[int] = field(default_factory=list)

    def count(self, report: SeedReport) -> None:
        self.seeds += 1
        self.entries += report.entries
        self.executed += report.executed
        self.lives += report.lives
        self.unsure += report.unsure
        self.virtual_s += report.virtual_s
        if report.broken:
            self.failed.append(report.seed)

    def add(self, other: "Figures") -> None:
        self.seeds += other.seeds
        self.entries += other.entries
        self.executed += other.executed
        self.lives += other.lives
        self.unsure += other.unsure
        self.virtual_s += other.virtual_s
        self.failed += other.failed

    def line(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: bytes) -> Self:
        return cls(**json.loads(line))
