"""A worker's place: which worker this is, beside how many, and which users it owns."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from signalfleet.bootstrap.lock import among_workers, one_worker
from signalfleet.bootstrap.platform import Platform
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.worker_id import WorkerName, worker_name
from signalfleet.bots.lease_keeper import LeaseKeeper
from signalfleet.bots.lease_terms import KeeperPorts, KeeperTerms
from signalfleet.bots.slot_bots import Ownership
from signalfleet.bots.sole_owner import SoleOwner

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """One of several workers of this server; without a number the first free one is taken."""

    number: int | None = None
    workers: int = 1
    supervisor: int | None = None


@contextmanager
def named(settings: Settings, one_of: OneOf | None) -> Iterator[WorkerName]:
    """Lock the data directory, for this process alone or beside others, and be one of them."""
    if one_of is None:
        with one_worker(settings.data_dir), worker_name(settings.data_dir, 0) as name:
            log.info("worker_named", name=str(name))
            yield name
        return
    with (
        among_workers(settings.data_dir, one_of.supervisor),
        worker_name(settings.data_dir, one_of.number) as name,
    ):
        structlog.contextvars.bind_contextvars(worker=str(name))
        log.info("worker_named", name=str(name))
        yield name


def ownership_of(platform: Platform, name: WorkerName, one_of: OneOf | None) -> Ownership:
    settings = platform.settings
    if one_of is None:
        return SoleOwner(platform.store.fleet, platform.clock, cell=settings.cell, worker=str(name))
    return LeaseKeeper(
        KeeperPorts(
            fleet=platform.store.fleet,
            registers=platform.registers,
            clock=platform.clock,
            metrics=platform.metrics,
        ),
        KeeperTerms(
            cell=settings.cell,
            worker=str(name),
            capacity=capacity(settings, one_of),
            server_capacity=settings.max_bots_per_server,
            ttl_s=settings.lease_ttl_s,
        ),
    )


def capacity(settings: Settings, one_of: OneOf | None) -> int:
    """Return how many bots may run in this process."""
    workers = 1 if one_of is None else one_of.workers
    return -(-settings.max_bots_per_server // workers)
