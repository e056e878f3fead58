"""`signalfleet run` and `signalfleet worker`: which role starts how."""

import os

from signalfleet.bootstrap import process, supervisor
from signalfleet.bootstrap.place import OneOf
from signalfleet.bootstrap.settings import Settings
from signalfleet.cli.running import fail, finish, settings_of_environment
from signalfleet.observability.logs import set_up_logs


def run(
    role: str, *, workers: int | None = None, number: int | None = None, beat: str | None = None
) -> None:
    """Run a role to its end. `number` and `beat` are what a supervisor gives its children."""
    settings = settings_of_environment()
    set_up_logs(as_json=settings.log_format == "json", level=settings.log_level)
    match role:
        case "supervisor":
            finish(supervisor.run_supervisor(_with_workers(settings, workers)))
        case "workers":
            finish(supervisor.run_workers(_with_workers(settings, workers)))
        case "worker":
            finish(process.run_worker(settings, _one_of(workers, number, beat), beat))
        case "web":
            finish(process.run_web(settings, beat))
        case "all-in-one":
            finish(process.run_all_in_one(settings))
        case _:
            fail(f"there is no role {role}")


def _with_workers(settings: Settings, workers: int | None) -> Settings:
    return settings if workers is None else settings.model_copy(update={"workers": workers})


def _one_of(workers: int | None, number: int | None, beat: str | None) -> OneOf:
    supervisor_id = os.getppid() if beat is not None else None
    return OneOf(number=number, workers=workers or 1, supervisor=supervisor_id)
