"""`signalfleet plan`: what would be sent for a message, and every reason."""

import json
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from signalfleet.app.explain import read
from signalfleet.app.preview_signal import Preview, preview
from signalfleet.bootstrap.preview import open_preview, settings_of_demo
from signalfleet.bootstrap.settings import Settings
from signalfleet.cli.parse import show_result
from signalfleet.cli.printing import printable
from signalfleet.domain.ids import ChannelId
from signalfleet.domain.settings.catalogue import CATALOGUE
from signalfleet.domain.trading.records import TraceStep

LEG_COLUMNS: Final = ("Leg", "Order", "Side", "Lots", "Price", "Stop", "Target")
LEG_FACTS: Final = ("leg", "kind", "side", "lots", "price", "stop_loss", "take_profit")


async def plan(
    settings: Settings | None,
    text: str,
    *,
    user: str | None,
    account: str | None,
    chat: int | None,
    demo_root: Path,
    as_json: bool,
) -> int:
    """Print the plan; 0 if something would be sent, 1 if not. Without settings it is the demo's."""
    chosen = await settings_of_demo(demo_root) if settings is None else settings
    async with open_preview(chosen, user=user, account=account) as (desk, account_id):
        channel = None if chat is None else ChannelId(chat)
        found = await preview(desk, text, account=account_id, chat=channel)
    if as_json:
        typer.echo(json.dumps(_facts(found), ensure_ascii=False, indent=2))
    else:
        _show(text, found)
    return 0 if any(outcome.plans for outcome in found.outcomes) else 1


def _facts(found: Preview) -> dict[str, Any]:
    steps = [step for outcome in found.outcomes for step in outcome.trace]
    return {
        "sent": any(outcome.plans for outcome in found.outcomes),
        "reading": dict(read(found.result, found.at).facts),
        "settings": {
            name: {
                "value": spec.write(getattr(found.effective.rules, name)),
                "source": found.effective.source(name),
            }
            for name, spec in CATALOGUE.items()
        },
        "steps": [{"stage": step.stage, **step.facts} for step in steps],
    }


def _show(text: str, found: Preview) -> None:
    console = Console()
    show_result(text, found.result)
    if not found.outcomes:
        console.print(Text("Nothing would be sent: there is no signal in it.", style="yellow"))
    for outcome in found.outcomes:
        for step in outcome.trace:
            _show_step(console, step)
        if outcome.reason == "no_stop":
            console.print(
                Text("The product waits two minutes for the stop of such a call (no_stop = wait).")
            )
    changed = found.effective.changed
    if changed:
        table = Table(title="Settings that are not the product's", title_justify="left")
        for column in ("Setting", "In force", "From"):
            table.add_column(column)
        for name in changed:
            value = CATALOGUE[name].show(getattr(found.effective.rules, name))
            table.add_row(name, Text(printable(value)), found.effective.say_source(name))
        console.print(table)


def _show_step(console: Console, step: TraceStep) -> None:
    facts: dict[str, Any] = dict(step.facts)
    match step.stage:
        case "checked":
            table = Table(title="Checks", title_justify="left")
            for column in ("", "Rule", "Value", "Limit", "Set by"):
                table.add_column(column)
            for check in facts["checks"]:
                passed = check["passed"]
                table.add_row(
                    Text("passed" if passed else "FAILED", style="green" if passed else "bold red"),
                    *(Text(printable(str(check[key]))) for key in ("name", "value", "limit")),
                    Text(printable(str(check["source"])), style="dim"),
                )
            console.print(table)
        case "sized":
            console.print(Text(_size(facts)))
        case "decided" if facts["outcome"] == "copied":
            table = Table(title="Would be sent", title_justify="left")
            for column in LEG_COLUMNS:
                table.add_column(column)
            for leg in facts["legs"]:
                table.add_row(*(str(leg.get(key) or "-") for key in LEG_FACTS))
            console.print(table)
        case "decided":
            detail = f": {facts['detail']}" if facts.get("detail") else ""
            said = f"Nothing would be sent: {facts['reason']}{detail}"
            console.print(Text(printable(said), style="bold yellow"))
        case _:
            pass


def _size(facts: dict[str, Any]) -> str:
    currency = facts["currency"]
    rate = f" ({facts['rate']})" if facts["rate"] else ""
    asked = f"{facts['asked_percent']} % ({facts['asked_money']} {currency})"
    got = f"{facts['got_percent']} % ({facts['got_money']} {currency})"
    loss = f"{facts['loss_per_lot']} {currency} at the stop {facts['stop'] or '-'}"
    lots = f"{facts['lots_exact']} lots, rounded to {facts['lots']}"
    lines = [
        f"Size: {facts['how']}{rate}",
        f"  asked {asked}, got {got}",
        f"  one lot loses {loss} (from {facts['stop_from']})",
        f"  {lots}: {facts['rounding']} lots of rounding",
    ]
    if facts["caps"]:
        lines.append(f"  limited by: {', '.join(facts['caps'])}")
    lines.append(f"  settings {facts['settings']}")
    return printable("\n".join(lines))
