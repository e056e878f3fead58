"""Between the Bot API's JSON and our words."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from signalfleet.adapters.bot_api import limits
from signalfleet.ports.messenger import (
    Delivered,
    DeliveryOutcome,
    Message,
    RetryLater,
    Started,
    TargetGone,
)

OK: Final = 200
FORBIDDEN: Final = 403
BAD_REQUEST: Final = 400
TOO_MANY: Final = 429
SERVER_ERRORS: Final = 500
_NOBODY: Final = ("chat not found", "user not found", "peer_id_invalid", "user is deactivated")
START: Final = "/start"


def text_of(message: Message) -> str:
    """Write a message as plain text: no mark-up, so nothing in it can become some."""
    parts = list(message.lines)
    if message.link:
        parts.append(message.link)
    text = "\n\n".join(parts)
    if len(text) <= limits.TEXT_CHARS:
        return text
    ending = f" ...\n\n{message.link}" if message.link else " ..."
    return text[: limits.TEXT_CHARS - len(ending)] + ending


def outcome_of(status: int, said: Mapping[str, object]) -> DeliveryOutcome:
    """Say what an answer to sendMessage means."""
    if status == OK and said.get("ok") is True:
        return Delivered()
    words = str(said.get("description") or "").lower()
    if status == FORBIDDEN:
        return TargetGone(reason="blocked")
    if status == BAD_REQUEST and any(word in words for word in _NOBODY):
        return TargetGone(reason="no_such_chat")
    if status == TOO_MANY:
        return RetryLater(reason="too_many", after=_pause(said))
    if status == BAD_REQUEST:
        return RetryLater(reason="bad_request", is_theirs=False)
    return RetryLater(reason=f"status_{status}")


def _pause(said: Mapping[str, object]) -> timedelta:
    parameters = said.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    known = isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0
    return timedelta(seconds=min(int(seconds or 0), 86_400) if known else 1)


def started(update: Mapping[str, object]) -> Started | None:
    """Return who pressed Start, in a private chat; None for everything else."""
    message = update.get("message")
    if not isinstance(message, dict):
        return None
    chat, text = message.get("chat"), message.get("text")
    if not isinstance(chat, dict) or not isinstance(text, str) or chat.get("type") != "private":
        return None
    number = chat.get("id")
    command, _, word = text.partition(" ")
    if command != START or not isinstance(number, int) or isinstance(number, bool):
        return None
    username = chat.get("username")
    name = f"@{username}" if isinstance(username, str) else str(chat.get("first_name") or "")
    return Started(
        chat=number, name=name[: limits.NAME_CHARS], word=word.strip()[: limits.WORD_CHARS]
    )
