"""`signalfleet sim telegram`: play the channel's part in a running simulated city."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from signalfleet.bootstrap.settings import ConfigurationError
from signalfleet.cli.printing import printable

if TYPE_CHECKING:
    from signalfleet.bootstrap.city import City

sim: Final = typer.Typer(help="Play with the simulators of a running demo.", no_args_is_help=True)
telegram: Final = typer.Typer(
    help="The simulated Telegram: post, edit, delete and reply by hand.", no_args_is_help=True
)
sim.add_typer(telegram, name="telegram")

Root = Annotated[Path, typer.Option(help="Where the demo keeps its data.")]
Channel = Annotated[str, typer.Argument(help="The channel: its script name, title or id.")]
Text = Annotated[str, typer.Argument(help="The text; \\n starts a new line.")]
Message = Annotated[int, typer.Argument(help="The message's number.")]
DEMO: Final = Path("var/demo")


@telegram.command("channels")
def channels(root: Root = DEMO) -> None:
    """List the channels of the city."""
    _run(_list(root))


@telegram.command("post")
def post(channel: Channel, text: Text, root: Root = DEMO) -> None:
    """Post a message and print its number."""
    _run(_act(root, channel, "post", {"text": _lines(text)}))


@telegram.command("reply")
def reply(channel: Channel, message: Message, text: Text, root: Root = DEMO) -> None:
    """Reply to a message and print the reply's number."""
    _run(_act(root, channel, "post", {"text": _lines(text), "reply_to": message}))


@telegram.command("edit")
def edit(channel: Channel, message: Message, text: Text, root: Root = DEMO) -> None:
    """Replace a message's text."""
    _run(_act(root, channel, "edit", {"message_id": message, "text": _lines(text)}))


@telegram.command("delete")
def delete(channel: Channel, messages: list[int], root: Root = DEMO) -> None:
    """Delete messages by their numbers."""
    _run(_act(root, channel, "delete", {"message_ids": messages}))


@telegram.command("code")
def code(phone: str, root: Root = DEMO) -> None:
    """Print the sign-in code that is on its way to a phone."""
    _run(_code(root, phone))


@telegram.command("scan")
def scan(
    address: Annotated[str, typer.Argument(help="What the QR code says: tg://login?token=...")],
    phone: Annotated[
        str, typer.Option(help="Whose phone scans; the demo's user's if absent.")
    ] = "",
    root: Root = DEMO,
) -> None:
    """Scan a sign-in QR code with a simulated phone."""
    _run(_scan(root, address, phone))


async def _city(root: Path) -> "City":
    from signalfleet.bootstrap import city as cities

    city = await cities.find(root / "city")
    if city is None:
        raise ConfigurationError(
            f"no simulated city runs under {root}: start one with `signalfleet demo`"
        )
    return city


async def _list(root: Path) -> None:
    city = await _city(root)
    names = {chat: name for name, chat in city.facts["channels"].items()}
    for chat in (await city.ask("GET", "/telegram/channels"))["channels"]:
        name = names.get(chat["id"], "")
        typer.echo(
            f"{name:12} {chat['id']:>15}  {printable(chat['title'])} "
            f"({chat['kind']}, newest message {chat['top_message']})"
        )


async def _act(root: Path, channel: str, act: str, body: dict[str, Any]) -> None:
    city = await _city(root)
    chat = await _chat(city, channel)
    answer = await _ask(city, "POST", f"/telegram/channels/{chat}/{act}", body)
    typer.echo(answer.get("message_id", "done"))


async def _code(root: Path, phone: str) -> None:
    city = await _city(root)
    digits = "".join(filter(str.isdigit, phone))
    typer.echo((await _ask(city, "GET", f"/telegram/code?phone={digits}", None))["code"])


async def _scan(root: Path, address: str, phone: str) -> None:
    city = await _city(root)
    body = {"url": address, "phone": phone or city.text("phone")}
    await _ask(city, "POST", "/telegram/scan", body)
    typer.echo("done")


async def _chat(city: "City", wanted: str) -> int:
    known = city.facts["channels"]
    if wanted in known:
        return int(known[wanted])
    for chat in (await city.ask("GET", "/telegram/channels"))["channels"]:
        if wanted in (str(chat["id"]), chat["title"], chat["username"]):
            return int(chat["id"])
    raise ConfigurationError("there is no such channel: see `signalfleet sim telegram channels`")


async def _ask(city: "City", method: str, path: str, body: object) -> dict[str, Any]:
    import aiohttp

    try:
        answer: dict[str, Any] = await city.ask(method, path, body)
    except aiohttp.ClientResponseError as error:
        raise ConfigurationError(f"the city refuses that ({error.status})") from error
    return answer


def _lines(text: str) -> str:
    return text.replace("\\n", "\n")


def _run(work: Coroutine[object, object, None]) -> None:
    try:
        asyncio.run(work)
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
