"""What an HTTP answer of MetaApi proves: an order's outcome, or a read's payload. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Final

from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.errors import (
    CODES,
    GATEWAY_TIMEOUT,
    NUMBERS,
    REFUSING_STATUSES,
    SERVER_ERRORS,
    TOKEN_STATUSES,
    TOO_MANY,
    Verdict,
)
from signalfleet.domain.trading.outcomes import Accepted, Outcome, Rejected, Unknown
from signalfleet.ports.errors import PortError, RefusedError, SignInRequiredError, TemporaryError

_ERROR_NAME: Final = re.compile(r"[A-Za-z]{1,40}")
_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer; not `readable` when its body is too large or no JSON."""

    status: int
    payload: object = None
    readable: bool = True
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """MetaApi's own error object: proof that MetaApi, and no gateway before it, answered."""

    error: str
    text: str
    metadata: dict[str, object] | None


def error_body(answer: Answer) -> ErrorBody | None:
    body = answer.payload
    if not answer.readable or not isinstance(body, dict):
        return None
    error, message = body.get("error"), body.get("message")
    if "id" not in body or not isinstance(error, str) or not isinstance(message, str):
        return None
    if not _ERROR_NAME.fullmatch(error):
        return None
    details = details_text(body.get("details"))
    text = f"{message} ({details})" if details else message
    metadata = body.get("metadata")
    return ErrorBody(
        error=error,
        text=text[: limits.TEXT_CHARS],
        metadata=metadata if isinstance(metadata, dict) else None,
    )


def details_text(details: object) -> str:
    """Put the three shapes of `details` into words; values are left out, they may be private."""
    match details:
        case str():
            return details
        case {"code": code}:
            return str(code)
        case list():
            fields = [item for item in details if isinstance(item, dict)]
            return "; ".join(f"{f.get('parameter')}: {f.get('message')}" for f in fields)
        case _:
            return ""


def trade_outcome(answer: Answer, *, entry: bool, now: datetime) -> Outcome:
    """Judge the answer to an order; what proves nothing is Unknown."""
    if answer.status in _OK:
        return _by_code(answer, entry=entry)
    body = error_body(answer)
    if body is not None and answer.status in REFUSING_STATUSES:
        return Rejected(code=body.error, text=body.text)
    if body is not None and answer.status == TOO_MANY and body.metadata is not None:
        retry_at = now + retry_delay(answer, now)
        return Rejected(code=body.error, text=body.text, again=True, retry_at=retry_at)
    return Unknown(cause=f"http_{answer.status}")


def _by_code(answer: Answer, *, entry: bool) -> Outcome:
    body = answer.payload
    if not answer.readable:
        return Unknown(cause="unreadable")
    if not isinstance(body, dict):
        return Unknown(cause="no_code")
    number = _number_of(body)
    if number is None:
        return Unknown(cause="no_code")
    if number not in CODES:
        return Unknown(cause=f"code_{number}")
    name, verdict = CODES[number]
    message = body.get("message")
    text = message[: limits.TEXT_CHARS] if isinstance(message, str) else ""
    match verdict:
        case Verdict.ACCEPTED:
            return Accepted(
                code=name,
                order_id=_opaque(body.get("orderId")),
                position_id=_opaque(body.get("positionId")),
            )
        case Verdict.AGAIN:
            return Rejected(code=name, text=text, again=True)
        case Verdict.REFUSED:
            return Rejected(code=name, text=text)
        case Verdict.ALREADY_SO if not entry:
            return Rejected(code=name, text=text, already_so=True)
        case _:
            return Unknown(cause=f"code_{number}")


def _number_of(body: dict[str, object]) -> int | None:
    """Return the code; None if there is none, or if number and name contradict each other."""
    number, name = body.get("numericCode"), body.get("stringCode")
    named = NUMBERS.get(name) if isinstance(name, str) else None
    if isinstance(number, bool) or not isinstance(number, int):
        return named if number is None else None
    if named is not None and number in CODES and CODES[named][1] != CODES[number][1]:
        return None
    return number


def _opaque(value: object) -> str | None:
    if isinstance(value, bool) or value is None or value == "":
        return None
    return str(value) if isinstance(value, str | int) else None


def is_service_failure(answer: Answer) -> bool:
    """Tell whether the service itself failed; a 504 of MetaApi's own speaks of one account only."""
    if answer.status == GATEWAY_TIMEOUT and error_body(answer) is not None:
        return False
    return answer.status >= SERVER_ERRORS


def read_payload(answer: Answer, now: datetime) -> object:
    """Return a read's payload, or raise what to do about it."""
    if answer.status in _OK:
        if not answer.readable:
            raise TemporaryError("MetaApi's answer could not be read")
        return answer.payload
    raise read_error(answer, now)


def read_error(answer: Answer, now: datetime) -> PortError:
    body = error_body(answer)
    if answer.status == TOO_MANY:
        delay = retry_delay(answer, now)
        return TemporaryError("MetaApi asks us to slow down", retry_after=delay.total_seconds())
    if answer.status == GATEWAY_TIMEOUT:
        return TemporaryError("MetaApi has no connection to this account's terminal now")
    if body is not None and answer.status in TOKEN_STATUSES:
        return SignInRequiredError("MetaApi refuses the token", reason="token_refused")
    if body is not None and answer.status in REFUSING_STATUSES:
        return RefusedError(f"MetaApi refuses: {body.error}: {body.text}")
    return TemporaryError(f"MetaApi answered with HTTP {answer.status}")


def retry_delay(answer: Answer, now: datetime) -> timedelta:
    """Return how long to wait: at least a second, at most an hour, whatever was said."""
    body = error_body(answer)
    said = body.metadata.get("recommendedRetryTime") if body and body.metadata else None
    moment = _moment(said) if isinstance(said, str) else None
    if moment is None:
        moment = _after_header(answer.retry_after, now)
    delay = moment - now if moment is not None else limits.RETRY_SHORTEST
    return min(max(delay, limits.RETRY_SHORTEST), limits.RETRY_LONGEST)


def credits_left(answer: Answer) -> float | None:
    """Return the share of credits left that a 429 states, None if it states none."""
    metadata = refusal(answer)
    if metadata is None:
        return None
    total, available = metadata.get("total"), metadata.get("available")
    if not isinstance(total, int | Decimal) or not isinstance(available, int | Decimal):
        return None
    return float(available / total) if total > 0 else None


def refusal(answer: Answer) -> dict[str, object] | None:
    """Return what a 429 says of the limit that was hit."""
    body = error_body(answer)
    return body.metadata if body is not None else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _after_header(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    if text.strip().isdecimal():
        seconds = min(int(text), int(limits.RETRY_LONGEST.total_seconds()))
        return now + timedelta(seconds=seconds)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
