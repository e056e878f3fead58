"""`signalfleet run` and `signalfleet worker`: which role starts how."""

import os

from signalfleet.bootstrap.place import OneOf
from signalfleet.bootstrap.settings import Settings
from signalfleet.cli.running import fail, finish, settings_of_environment
from signalfleet.observability.logs import set_up_logs


def run(
    role: str, *, workers: int | None = None, number: int | None = None, beat: str | None = None
) -> None:
    """Run a role to its end. `number` and `beat` are what a supervisor gives its children.

    Each role loads what it needs and no more: a parent of ten workers is small.
    """
    settings = settings_of_environment()
    set_up_logs(as_json=settings.log_format == "json", level=settings.log_level)
    match role:
        case "supervisor":
            from signalfleet.bootstrap.supervisor import run_supervisor

            finish(run_supervisor(_with_workers(settings, workers)))
        case "workers":
            from signalfleet.bootstrap.supervisor import run_workers

            finish(run_workers(_with_workers(settings, workers)))
        case "worker":
            from signalfleet.bootstrap.worker_process import run_worker

            finish(run_worker(settings, _one_of(workers, number, beat), beat))
        case "web":
            from signalfleet.bootstrap.web_process import run_web

            finish(run_web(settings, beat))
        case "all-in-one":
            from signalfleet.bootstrap.all_in_one import run_all_in_one

            finish(run_all_in_one(settings))
        case _:
            fail(f"there is no role {role}")


def _with_workers(settings: Settings, workers: int | None) -> Settings:
    return settings if workers is None else settings.model_copy(update={"workers": workers})


def _one_of(workers: int | None, number: int | None, beat: str | None) -> OneOf:
    supervisor_id = os.getppid() if beat is not None else None
    return OneOf(number=number, workers=workers or 1, supervisor=supervisor_id)
