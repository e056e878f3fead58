"""A parsed file as the rules see it, and what a rule reports."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

_ALLOWANCE = re.compile(r"#\s*lint:\s*allow\s+([a-z-]+):\s*(\S.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    path: PurePosixPath
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str | PurePosixPath, text: str) -> "Source":
        return cls(path=PurePosixPath(path), text=text, tree=ast.parse(text))

    @classmethod
    def read(cls, root: Path, path: Path) -> "Source":
        return cls.of(path.relative_to(root).as_posix(), path.read_text(encoding="utf8"))

    def is_under(self, folder: str) -> bool:
        return self.path.is_relative_to(folder)

    def allowances(self) -> dict[int, str]:
        """Return the rule that each line allows itself to break, by line number."""
        return {
            number: match[1]
            for number, line in enumerate(self.text.splitlines(), start=1)
            if (match := _ALLOWANCE.search(line))
        }


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


Hit: TypeAlias = tuple[ast.AST, str]
"""Where, and what is wrong and what to do instead."""

Check: TypeAlias = Callable[[Source], Iterator[Hit]]


def last_name(node: ast.expr) -> str:
    """The last part of a name: `submit` of `self.broker.submit`, empty if it has none."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=func):
            return last_name(func)
        case _:
            return ""


def text_of(node: ast.AST | None) -> str | None:
    """The value of a string constant, else None."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case _:
            return None
