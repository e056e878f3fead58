"""`signalfleet login`, `logout` and `channels`: a user's own Telegram, in the terminal."""

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final

import typer

from signalfleet.app.audit import note
from signalfleet.app.exits import begin_exit, end_exit, exit_policy_of
from signalfleet.app.sign_in import Consent, Settled, WhoSignsIn
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.terminal import Terminal, open_terminal
from signalfleet.cli.printing import printable
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.accounts.copy_states import USER
from signalfleet.domain.accounts.exits import POLICY_WORDS, ExitCause
from signalfleet.domain.ids import new_user_id
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.ports.chat_sign_in import (
    ChatSignIn,
    PasswordNeeded,
    QrShown,
    SignedIn,
    WrongInputError,
)
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Secret
from signalfleet.web.login_desk import CONSENT_VERSION
from signalfleet.web.present.qr import qr_lines, qr_matrix

CONSENT: Final = """\
SignalFleet reads signals from your own Telegram account, by way of the Telegram API.
  Read:   only the channels and groups that you choose.
  Stored: an encrypted session, and the messages of chosen chats for 90 days.
  Never:  no posting, no marking as read, no forwarding, no joining.
  End it: `signalfleet logout`, or in Telegram under Settings, Devices."""
IDLE: Final = frozenset({BotState.OFF, BotState.QUARANTINED, BotState.SIGN_IN_NEEDED})
BLACK_ON_WHITE: Final = "\x1b[30;47m"
PLAIN: Final = "\x1b[0m"


class Dialog:
    """How a command talks with the person at the terminal."""

    def say(self, text: str) -> None:
        typer.echo(text)

    async def ask(self, text: str, *, hidden: bool = False) -> Secret:
        return Secret(await asyncio.to_thread(typer.prompt, text, hide_input=hidden))

    async def agrees(self, text: str) -> bool:
        return await asyncio.to_thread(typer.confirm, text)

    def show_qr(self, address: str) -> None:
        """Draw dark squares on light ground, whatever the terminal's own colours are."""
        colour, plain = (BLACK_ON_WHITE, PLAIN) if sys.stdout.isatty() else ("", "")
        for line in qr_lines(qr_matrix(address)):
            typer.echo(f"{colour}{line}{plain}", color=True)


async def login(settings: Settings, *, phone: str | None, agreed: bool, dialog: Dialog) -> int:
    """Sign in by QR code, or by phone code if a number is given."""
    dialog.say(CONSENT)
    if not agreed and not await dialog.agrees("Do you agree, and is this your own account?"):
        dialog.say("Nothing was done.")
        return 1
    async with open_terminal(settings) as terminal:
        attempt = terminal.kit.sign_in()
        try:
            if phone is None:
                signed_in = await _by_qr(attempt, dialog)
            else:
                signed_in = await _by_code(attempt, Secret(phone), dialog)
        finally:
            await attempt.aclose()
        settled = await _settle(terminal, signed_in)
        mine = terminal.store.user(settled.profile.user_id)
        if settled.is_kept:
            await note(mine, terminal.clock, "terminal", "telegram_connected")
            await end_exit(mine, USER, ExitCause.TELEGRAM)
    profile = settled.profile
    dialog.say(f"Signed in as {printable(profile.display_name)}, user {profile.user_id}.")
    if not settled.is_kept:
        dialog.say("The session that was stored before is still good and stays in use.")
    dialog.say("Choose what is read with `signalfleet channels`.")
    return 0


async def logout(
    settings: Settings, *, user: str | None, policy: ExitPolicy | None = None, dialog: Dialog
) -> int:
    """End the session at Telegram, then delete it; open trades follow the user's wish."""
    async with open_terminal(settings) as terminal:
        whose = await terminal.user(user)
        if terminal.bus is not None:
            chosen = None if policy is None else policy.value
            await terminal.about(whose, "sign_out", exit_policy=chosen)
        else:
            mine, now = terminal.store.user(whose), terminal.clock.now()
            await begin_exit(mine, USER, ExitCause.TELEGRAM, now, policy)
            await terminal.sign_in.sign_out(whose)
        mine = terminal.store.user(whose)
        await note(mine, terminal.clock, "terminal", "telegram_disconnected")
        live, wish = len(await mine.journal.live_trades()), await exit_policy_of(mine, None)
    dialog.say("Signed out of Telegram.")
    if live:
        dialog.say(f"{live} open or pending: {POLICY_WORDS[policy or wish]}")
    if live and terminal.bus is None:
        dialog.say("It is carried out as soon as SignalFleet runs.")
    return 0


async def list_channels(
    settings: Settings, *, user: str | None, search: str, dialog: Dialog
) -> int:
    """List a user's chats; what is read stands first."""
    async with open_terminal(settings) as terminal:
        found = await terminal.about(await terminal.user(user), "chats", search=search)
    rows = found["chats"]
    for row in rows if isinstance(rows, list) else []:
        dialog.say(_line(row))
    dialog.say(f"{found['found']} of {found['of']} chats; {found['chosen']} are read.")
    return 0


async def choose_channels(
    settings: Settings,
    *,
    user: str | None,
    chats: Sequence[int],
    mode: str,
    dialog: Dialog,
    is_full: bool = False,
) -> int:
    """Set what is done with chats: on, paper or off. `is_full`: without probation."""
    async with open_terminal(settings) as terminal:
        whose = await terminal.user(user)
        if mode == "off":
            question: dict[str, Any] = {"chosen": [], "shown": list(chats), "mode": "off"}
        else:
            question = {"chosen": list(chats), "shown": [], "mode": mode}
            question["skip_probation"] = is_full
        told = await terminal.about(whose, "choose", **question)
        if mode != "off":
            await terminal.store.user(whose).bot.set_wish(on=True, by="terminal")
        await note(
            terminal.store.user(whose), terminal.clock, "terminal", "channels_chosen", mode=mode
        )
    dialog.say(f"{told['changed']} changed; {told['chosen']} are read.")
    return 0


async def _by_qr(attempt: ChatSignIn, dialog: Dialog) -> SignedIn:
    dialog.say("In Telegram on your phone: Settings, Devices, Link Desktop Device. Then scan:")
    async with aclosing(attempt.start_qr()) as events:
        async for event in events:
            match event:
                case QrShown():
                    dialog.show_qr(event.address)
                    dialog.say(f"Code {event.number} of {event.of}; a new one comes by itself.")
                case PasswordNeeded():
                    return await _by_password(attempt, event, dialog)
                case SignedIn():
                    return event
    raise RefusedError("nobody scanned the QR code; start again")


async def _by_code(attempt: ChatSignIn, phone: Secret, dialog: Dialog) -> SignedIn:
    sent = await attempt.send_code(phone)
    dialog.say(f"Telegram has sent a code (by {sent.delivery}).")
    answer = await _until_right("Code", attempt.enter_code, dialog)
    return answer if isinstance(answer, SignedIn) else await _by_password(attempt, answer, dialog)


async def _by_password(attempt: ChatSignIn, needed: PasswordNeeded, dialog: Dialog) -> SignedIn:
    if needed.hint:
        dialog.say(f"Your reminder: {printable(needed.hint)}")
    answer = await _until_right("Two-step password", attempt.enter_password, dialog)
    if isinstance(answer, PasswordNeeded):
        raise RefusedError("Telegram asks for a second password; sign in with the QR code")
    return answer


async def _until_right(
    question: str,
    enter: Callable[[Secret], Awaitable[SignedIn | PasswordNeeded]],
    dialog: Dialog,
) -> SignedIn | PasswordNeeded:
    while True:
        try:
            return await enter(await dialog.ask(question, hidden=True))
        except WrongInputError as error:
            if error.tries_left == 0:
                raise
            dialog.say(str(error))


async def _settle(terminal: Terminal, signed_in: SignedIn) -> Settled:
    """Keep the sign-in; while the product runs, its bots keep the session that they use."""
    who = WhoSignsIn(user=new_user_id(secrets.token_bytes(16)), is_visitor=True)
    profile = await terminal.sign_in.owner(who, signed_in)
    bot = terminal.store.user(profile.user_id).bot
    status = await bot.status()
    consent = Consent(version=CONSENT_VERSION, at=terminal.clock.now())
    settled = await terminal.sign_in.settle(
        profile,
        signed_in,
        consent,
        is_in_use=terminal.bus is not None and status.state not in IDLE,
    )
    # A new number for the same wish: the bot looks again and finds the session.
    await bot.set_wish(on=status.wish_on, by="sign_in")
    return settled


def _line(row: dict[str, Any]) -> str:
    name = f" @{row['username']}" if row["username"] else ""
    members = f", {row['members']} members" if row["members"] is not None else ""
    title = printable(str(row["title"])).replace("\n", " ")
    return f"{row['mode']:>7}  {row['chat']:>15}  {title}{name} ({row['kind']}{members})"
