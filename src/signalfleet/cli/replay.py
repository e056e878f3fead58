"""`signalfleet replay`: a channel's export, message by message."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from signalfleet.adapters.telegram.export import ChannelExport, read_export
from signalfleet.app.replay_channel import ReplayLine
from signalfleet.app.replay_channel import replay as replay_channel
from signalfleet.bootstrap.language import load_parser
from signalfleet.cli.printing import printable
from signalfleet.cli.profile_file import load_profile
from signalfleet.domain.signals.profiles import NO_PROFILE
from signalfleet.ports.errors import RefusedError

EXCERPT: Final = 60
COLOURS: Final = {"copied": "green", "followed": "cyan", "skipped": "yellow", "held": "magenta"}


def replay(file: Path, *, limit: int, as_json: bool, profile: Path | None = None) -> None:
    """Read the export and print what would have been done."""
    path = file / "result.json" if file.is_dir() else file
    try:
        export = read_export(path.read_bytes())
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}") from error
    known = NO_PROFILE if profile is None else load_profile(profile).profile
    lines = replay_channel(export.messages, load_parser(), known)
    if as_json:
        for line in islice(lines, limit):
            print(json.dumps(_as_json(line), ensure_ascii=False))
        return
    shown = list(islice(lines, limit))
    _show(export, shown, has_more=next(lines, None) is not None)


def _as_json(line: ReplayLine) -> dict[str, object]:
    return {
        "message": line.message.message,
        "posted_at": line.message.posted_at.isoformat(),
        "outcome": line.outcome,
        "reason": line.reason,
        "understood": line.understood,
    }


def _show(export: ChannelExport, lines: list[ReplayLine], *, has_more: bool) -> None:
    console = Console()
    table = Table(
        title=Text(printable(f"{export.title}: what would have been done")), title_justify="left"
    )
    for column in ("Message", "Posted (UTC)", "Text", "Outcome", "Understood or reason"):
        table.add_column(column)
    for line in lines:
        text = printable(" ".join(line.message.text.split()))
        table.add_row(
            str(line.message.message),
            line.message.posted_at.strftime("%Y-%m-%d %H:%M"),
            Text(text[:EXCERPT] + ("..." if len(text) > EXCERPT else "")),
            Text(line.outcome, style=COLOURS.get(line.outcome, "dim")),
            Text(printable(line.understood) + (f" ({line.reason})" if line.reason else "")),
        )
    console.print(table)
    counts = Counter(line.outcome for line in lines)
    figures = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    more = " More follow; `--limit` shows them." if has_more else ""
    console.print(Text(f"{len(lines)} readings{': ' + figures if figures else ''}.{more}"))
    if export.service_messages:
        console.print(Text(f"{export.service_messages} service messages left out."))
    console.print(
        Text(
            "Prices, spread and your limits are not part of this: an entry that had moved away "
            "by then would still have been refused."
        )
    )
