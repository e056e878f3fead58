"""How commands start and end: settings first, and a known trouble is one sentence."""

import asyncio
from collections.abc import Coroutine
from typing import NoReturn

import typer
from pydantic import ValidationError

from signalfleet.bootstrap.settings import ConfigurationError, Settings, load_settings, problems
from signalfleet.observability.logs import set_up_logs
from signalfleet.ports.errors import PortError


def quiet_settings() -> Settings:
    """Read the settings of a command that talks with a person, not with a log."""
    settings = settings_of_environment()
    set_up_logs(as_json=False, level="ERROR")
    return settings


def settings_of_environment() -> Settings:
    try:
        return load_settings()
    except ConfigurationError as error:
        fail(str(error))


def finish(work: Coroutine[object, object, int | None]) -> NoReturn:
    """Run a command to its end; a known trouble is one sentence, not a traceback."""
    try:
        status = asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (ConfigurationError, PortError, ValidationError, BaseExceptionGroup) as error:
        known = _first(error)
        if isinstance(known, ValidationError):
            known = problems(known)
        if not isinstance(known, ConfigurationError | PortError):
            raise
        fail(str(known))
    raise typer.Exit(status or 0)


def fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
