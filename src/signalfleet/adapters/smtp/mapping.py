"""A notice as a letter: plain text, with headers that hold nothing of a user's."""

import hashlib
import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from signalfleet.ports.errors import RefusedError
from signalfleet.ports.messenger import Message

_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
MOST_CHARS: Final = 254
NAME_CHARS: Final = 64


def masked(address: str) -> str:
    """Show an address so that its owner knows it; RefusedError if it is none that we write to."""
    name, _, domain = address.rpartition("@")
    if len(address) > MOST_CHARS or len(name) > NAME_CHARS or not _ADDRESS.fullmatch(address):
        raise RefusedError("this is not an e-mail address that we can write to")
    return f"{name[0]}...@{domain}"


def letter_of(message: Message, *, sender: str, receiver: str, at: datetime) -> EmailMessage:
    """Write the letter. Its id is that of the message, so that a second copy is known as one."""
    letter = EmailMessage(policy=SMTP)
    name, _, domain = sender.rpartition("@")
    letter["From"] = Address("SignalFleet", name, domain)
    letter["To"] = Address(addr_spec=receiver)
    letter["Subject"] = f"SignalFleet: {message.title}"
    letter["Date"] = format_datetime(at)
    digest = hashlib.sha256(f"{receiver}|{message.key}".encode()).hexdigest()[:32]
    letter["Message-ID"] = f"<{digest}@{domain}>"
    letter["Auto-Submitted"] = "auto-generated"
    if message.unsubscribe:
        letter["List-Unsubscribe"] = f"<{message.unsubscribe}>"
        letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    parts = list(message.lines)
    if message.link:
        parts.append(message.link)
    if message.unsubscribe:
        parts.append(f"-- \nNo more of these letters: {message.unsubscribe}")
    letter.set_content("\n\n".join(parts) + "\n", cte="quoted-printable")
    return letter
