"""What `python -m bench` and `python -m drills` print, and with which exit status."""

import json

import pytest
import structlog

from bench.report import Named, Result, run_named
from drills.__main__ import registry as drill_registry


async def _answers() -> Result:
    return Result(figures={"orders": 200, "p95_ms": 1.5})


def _fails() -> Result:
    return Result(ok=False, figures={"duplicates": 1})


def _breaks() -> Result:
    raise OSError("the port is taken")


RUNS = {
    "D1": Named(title="answers", run=_answers),
    "D2": Named(title="fails", run=_fails),
    "D3": Named(title="breaks", run=_breaks),
}


def test_each_run_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    status = run_named(RUNS, ["--json", "D1"])
    line = json.loads(capsys.readouterr().out)
    assert status == 0
    assert line.pop("seconds") >= 0
    assert line == {"name": "D1", "ok": True, "figures": {"orders": 200, "p95_ms": 1.5}}


def test_all_are_run_without_a_name_and_one_failure_makes_the_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = run_named(RUNS, ["--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 1
    assert [(line["name"], line["ok"]) for line in lines] == [
        ("D1", True),
        ("D2", False),
        ("D3", False),
    ]
    assert lines[2]["figures"] == {"error": "OSError: the port is taken"}


def test_people_get_names_figures_and_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    run_named(RUNS, ["d2"])
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "duplicates = 1" in out


def test_an_unknown_name_runs_nothing_and_says_what_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_named(RUNS, ["D1", "D9"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "D9" in captured.err
    assert "D1, D2, D3" in captured.err


def test_the_list_names_each_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_named(RUNS, ["--list"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["D1", "answers"],
        ["D2", "fails"],
        ["D3", "breaks"],
    ]


def test_every_drill_is_found_under_its_own_id() -> None:
    for drill_id, drill in drill_registry().items():
        assert drill_id in {"SIM", "LEASES"} or drill_id.startswith("D")
        assert drill.title


def test_log_lines_stay_out_of_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    def talks() -> Result:
        structlog.get_logger().warning("something_happened")
        return Result(ok=True, figures={})

    assert run_named({"one": Named(title="", run=talks)}, ["--json"]) == 0
    said = capsys.readouterr()
    assert [json.loads(line)["ok"] for line in said.out.splitlines()] == [True]
    assert "something_happened" in said.err
