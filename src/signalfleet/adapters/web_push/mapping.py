"""Between a browser's subscription, our messages, and the answers of push services."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from signalfleet.adapters.web_push import limits
from signalfleet.adapters.web_push.sealing import Subscriber
from signalfleet.domain.accounts.notices import NoticeLevel
from signalfleet.ports.messenger import (
    Delivered,
    DeliveryOutcome,
    Message,
    RetryLater,
    TargetGone,
)

TAKEN: Final = (200, 201, 202, 204)
GONE: Final = (404, 410)
TOO_MANY: Final = 429
SERVER_ERRORS: Final = 500
URGENCY: Final = {
    NoticeLevel.MONEY: "high",
    NoticeLevel.ATTENTION: "normal",
    NoticeLevel.INFO: "low",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    endpoint: str
    origin: str
    host: str
    browser: Subscriber

    @classmethod
    def of(cls, text: str, services: tuple[str, ...], schemes: tuple[str, ...]) -> "Subscription":
        """Read what a browser gave; ValueError if it is none, or not of a known push service."""
        try:
            given = json.loads(text)
            endpoint = given["endpoint"]
            keys = given["keys"]
            browser = Subscriber.of(keys["p256dh"], keys["auth"])
            address = urlsplit(endpoint)
            port = address.port
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError("this is not the subscription of a browser") from None
        host = (address.hostname or "").lower()
        is_known = any(
            host.endswith(one) if one.startswith(".") else host == one for one in services
        )
        is_plain = address.username is None and len(endpoint) <= limits.ENDPOINT_CHARS
        if address.scheme not in schemes or not is_known or not is_plain:
            raise ValueError("the push service of this browser is not known here")
        if schemes == ("https",) and port not in (None, 443):
            raise ValueError("the push service of this browser is not known here")
        return cls(
            endpoint=endpoint,
            origin=f"{address.scheme}://{address.netloc}",
            host=host,
            browser=browser,
        )


def payload_of(message: Message) -> bytes:
    """Write what the page's worker shows, short enough for one record."""
    body = "\n".join(message.lines)
    while True:
        shown = {"title": f"SignalFleet: {message.title}", "body": body, "url": message.link}
        plain = json.dumps({**shown, "tag": message.key}, ensure_ascii=False).encode()
        if len(body) <= limits.BODY_CHARS and len(plain) <= limits.PLAIN_BYTES:
            return plain
        body = body[: min(limits.BODY_CHARS, len(body) * 3 // 4)].rstrip() + "..."


def outcome_of(status: int, retry_after: str) -> DeliveryOutcome:
    if status in TAKEN:
        return Delivered()
    if status in GONE:
        return TargetGone(reason="unsubscribed")
    after = None
    if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) <= 6:  # noqa: PLR2004
        after = timedelta(seconds=int(retry_after))
    is_theirs = status == TOO_MANY or status >= SERVER_ERRORS
    return RetryLater(reason=f"status_{status}", after=after, is_theirs=is_theirs)
