"""Scenarios run on virtual time."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping

import pytest
import structlog

from kit.clock import virtual_loops


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return virtual_loops()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Drawing thousands of log lines takes longer than the bots' own work."""
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=silent)
    yield
    structlog.reset_defaults()
