"""The demo's proof for machines: it holds for the product as it is, and it can fail."""

import json
import sys
from pathlib import Path

import pytest

from kit.product_process import city_ended, running
from signalfleet.bootstrap import city as cities
from signalfleet.bootstrap.demo import DemoOptions, demo_settings, demo_user
from signalfleet.bootstrap.demo_check import check_demo
from signalfleet.bootstrap.platform import open_platform

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(150)]


async def test_the_check_proves_the_demo_and_leaves_nothing_behind(tmp_path: Path) -> None:
    places = {"TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    async with running("demo", "--check", cwd=tmp_path, variables=places) as check:
        line = await check.until_line("{", limit_s=110)
        status = await check.process.wait()
    assert status == 0, (line, (tmp_path / "stderr.txt").read_text())
    figures = json.loads("{" + line)
    assert figures["ok"] is True
    assert figures["trades_opened"] >= 5
    assert (figures["doubled"], figures["noise_traded"]) == (0, 0)
    assert len(check.lines) == 1
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_the_check_fails_when_no_signal_arrives(tmp_path: Path) -> None:
    """The script is never started, so the channels never speak."""
    with city_ended(tmp_path / "city"):
        city = await cities.start(tmp_path / "city", repeat=False, speed=1.0, seed=7)
        options = DemoOptions(root=tmp_path, port=0)
        async with open_platform(demo_settings(options, city)) as platform:
            user = await demo_user(platform, city)
            figures = await check_demo(platform, city, user, limit_s=0.5)
    assert not figures.is_ok
    assert figures.as_json()["ok"] is False
    assert figures.trades_opened == 0


async def test_a_check_that_fails_says_so_by_its_status_and_where_to_look(tmp_path: Path) -> None:
    """Half a second is not enough for five trades."""
    code = (
        "import asyncio, sys; from signalfleet.cli.demo import run_check; "
        "sys.exit(asyncio.run(run_check(limit_s=0.5)))"
    )
    program = (sys.executable, "-c", code)
    places = {"TMPDIR": str(tmp_path)}
    async with running(cwd=tmp_path, variables=places, program=program) as check:
        line = await check.until_line("{", limit_s=60)
        status = await check.process.wait()
    (root,) = tmp_path.glob("signalfleet-check-*")
    with city_ended(root / "city"):
        assert status == 1
        assert json.loads("{" + line)["ok"] is False
        assert (tmp_path / "stderr.txt").read_text() == (
            f"What happened is in {root / 'signalfleet.log'}\n"
        )
        assert (root / "signalfleet.log").stat().st_size > 0
