"""Writes docs/settings.md from the catalogue of settings: `python -m tools.settings_page`."""

from dataclasses import fields
from pathlib import Path
from typing import Final

from signalfleet.domain.settings.catalogue import CATALOGUE, DEFAULTS, GROUPS
from signalfleet.domain.settings.values import Merge

PAGE: Final = Path(__file__).parents[1] / "docs" / "settings.md"
MERGES: Final = {
    Merge.OVERRIDE: "the most specific",
    Merge.LOWEST: "the lowest",
    Merge.HIGHEST: "the highest",
    Merge.UNION: "all together",
}
MARK: Final = "<!-- made from the catalogue from here on -->"


def page() -> str:
    """Return the whole page: what is written by hand, and the tables anew."""
    parts = [PAGE.read_text("utf-8").partition(MARK)[0] + MARK, ""]
    for title, group in GROUPS.items():
        parts += [
            f"## {title}",
            "",
            "| Setting | What it does | Values | Default | Unit | Set for | Wins | Also called |",
            "|---|---|---|---|---|---|---|---|",
        ]
        parts += [_row(field.name) for field in fields(group)]
        parts.append("")
    return "\n".join(parts)


def _row(name: str) -> str:
    spec = CATALOGUE[name]
    cells = (
        f"`{name}`",
        spec.text,
        ", ".join(f"`{word}`" for word in spec.kind.words) or spec.kind.allowed,
        f"`{spec.show(getattr(DEFAULTS, name))}`",
        spec.unit,
        ", ".join(spec.scopes),
        MERGES[spec.merge],
        ", ".join(spec.also_called),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
