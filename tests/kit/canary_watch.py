"""The suite's search for secrets: every test fails that leaves one where it must not be.

Searched are what a test printed and logged, its files with those of its child processes, the pages
it was shown and the metrics it counted; at the end of the session what tests shared.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.canaries import WATCH, search
from signalfleet.observability.metrics import PrometheusMetrics
from signalfleet.ports.secrets import Secret

_metrics: list[PrometheusMetrics] = []
_searched: set[str] = set()


def _observe() -> None:
    """Hear of every secret and of every set of metrics that is made in this process."""
    made_secret, made_metrics = Secret.__init__, PrometheusMetrics.__init__

    def secret(self: Secret, value: str) -> None:
        made_secret(self, value)
        WATCH.note(value)

    def metrics(self: PrometheusMetrics, *words: Any, **named: Any) -> None:
        made_metrics(self, *words, **named)
        _metrics.append(self)

    Secret.__init__ = secret  # type: ignore[method-assign]
    PrometheusMetrics.__init__ = metrics  # type: ignore[method-assign]


class CanaryWatch:
    """Hooks of pytest; one instance for each process of a run."""

    def pytest_runtest_logstart(self) -> None:
        WATCH.clear()
        _metrics.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "teardown" and report.passed:
            for name, content in report.sections:
                WATCH.hear(name.lower(), content)
            for one in _metrics:
                WATCH.hear("metrics", one.text())
            folder = _folder_of(item)
            leaks = WATCH.leaks(folder)
            if leaks:
                report.outcome = "failed"
                report.longrepr = "a secret of this test is in clear in: " + ", ".join(leaks)
        return report


def _folder_of(item: pytest.Item) -> Path | None:
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if isinstance(folder, Path):
        _searched.add(folder.name)
        return folder
    return None


@pytest.fixture(scope="session", autouse=True)
def no_secret_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Search what no single test has searched: files that tests of a module or all share."""
    yield
    folders = [one for one in tmp_path_factory.getbasetemp().iterdir() if not one.is_symlink()]
    leaks = [leak for one in folders if one.name not in _searched for leak in search(one)]
    if leaks:
        pytest.fail("a planted secret is in clear in: " + ", ".join(leaks))


def watch(config: pytest.Config) -> None:
    _observe()
    config.pluginmanager.register(CanaryWatch(), "canary-watch")
