"""Structured logs: one line an event, constant names, no secrets."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

MASK: Final = "***"
SECRET_KEYS: Final = frozenset(
    {"session", "token", "password", "code", "phone", "api_hash", "secret", "key", "text"}
)


def set_up_logs(*, as_json: bool, level: str = "INFO", stream: TextIO = sys.stderr) -> None:
    """Configure structlog for the process and quieten libraries that print whole objects."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask_secrets,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(name)s: %(message)s")
    for noisy in ("telethon", "aiohttp", "nats", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.ERROR)  # noqa: TID251 - set up here only


def mask_secrets(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask values whose name says that they are secret, whoever logged them."""
    for name in event.keys() & SECRET_KEYS:
        event[name] = MASK
    return event
