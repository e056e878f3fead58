"""Structured logs: one line an event, constant names, no secrets."""

import json
import logging
import sys
import traceback
from collections import deque
from collections.abc import Hashable, Mapping, MutableMapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.processors import ExceptionRenderer
from structlog.typing import ExcInfo

MASK: Final = "***"
SECRET_KEYS: Final = frozenset(
    {"session", "token", "password", "code", "phone", "api_hash", "secret", "key", "text"}
)
SECRET_WORDS: Final = frozenset(
    {"session", "token", "password", "phone", "secret", "authorization", "cookie"}
)
"""Words that make any name secret that contains them, such as `metaapi_token`."""
DEEPEST: Final = 6
MOST_FRAMES: Final = 30
KEPT: Final = 1024
"""How many names are known to be secret or not: nearly all lines have the same few."""
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_JSON: Final = json.JSONEncoder(default=repr)


def set_up_logs(*, as_json: bool, level: str = "INFO", stream: TextIO = sys.stderr) -> None:
    """Configure structlog for the process and quieten libraries that print whole objects."""
    renderers: list[Any] = (
        [ExceptionRenderer(_traceback_of), structlog.processors.JSONRenderer(_as_json)]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=_print)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask_secrets,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(name)s: %(message)s")
    for noisy in ("telethon", "aiohttp", "nats", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.ERROR)  # noqa: TID251 - set up here only


def _as_json(event: Mapping[str, object], **_options: object) -> str:
    """Write a line with the one encoder: each order has several, and to make one takes as long."""
    return _JSON.encode(event)


def _traceback_of(exc_info: ExcInfo) -> str:
    """Return the last frames; never the values of variables, which may hold a session or a message.

    A runaway recursion has a thousand frames: to show them all would hold up every bot for long.
    """
    kind, error, place = exc_info
    last: deque[TracebackType] = deque(maxlen=MOST_FRAMES)
    count = 0
    while place is not None:
        last.append(place)
        count += 1
        place = place.tb_next
    lines = traceback.format_exception(kind, error, last[0] if last else None, -MOST_FRAMES)
    if count > MOST_FRAMES:
        lines.insert(0, f"({count - MOST_FRAMES} outer frames are not shown)\n")
    return "".join(lines).rstrip("\n")


def _print(stream: TextIO, found: ExcInfo) -> None:
    stream.write("\n" + _traceback_of(found))


def mask_secrets(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask values whose name says that they are secret, whoever logged them and however deep."""
    for name, value in event.items():
        if _is_secret(name):
            event[name] = MASK
        elif type(value) not in _PLAIN:
            event[name] = _masked(value, DEEPEST)
    return event


@lru_cache(maxsize=KEPT)
def _is_secret(name: Hashable) -> bool:
    lowered = str(name).lower()
    if lowered in SECRET_KEYS or lowered.endswith("_key"):
        return True
    return not SECRET_WORDS.isdisjoint(lowered.replace("-", "_").split("_"))


def _masked(value: Any, depth: int) -> Any:  # noqa: ANN401 - whatever somebody logs
    """Return a copy without secrets; what lies too deep is not shown at all."""
    match value:
        case dict() | list() | tuple() if depth == 0:
            return MASK
        case dict():
            return {
                name: MASK if _is_secret(name) else _masked(one, depth - 1)
                for name, one in value.items()
            }
        case list() | tuple():
            return [_masked(one, depth - 1) for one in value]
        case _:
            return value
