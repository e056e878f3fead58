"""Every metric that is counted is in the catalogue, with the same labels."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

import signalfleet
from signalfleet.observability.metrics import (
    COUNTERS,
    DISTRIBUTIONS,
    GAUGES,
    HISTOGRAMS,
    PrometheusMetrics,
)

SOURCE = Path(signalfleet.__file__).parent
CATALOGUE = SOURCE / "observability" / "metrics.py"
SPREAD: dict[str, tuple[str, Sequence[str]]] = {
    name: (text, ()) for name, (text, _) in DISTRIBUTIONS.items()
}
KINDS: dict[str, Mapping[str, tuple[str, Sequence[str]]]] = {
    "count": COUNTERS,
    "gauge": GAUGES,
    "observe": HISTOGRAMS,
    "distribution": SPREAD,
}
OWN = {"amount", "seconds", "value"}


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    """Parse the files that speak of metrics at all."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path != CATALOGUE and ("etrics" in text or "signalfleet_" in text):
            found.append((str(path.relative_to(SOURCE)), ast.parse(text)))
    return tuple(found)


def constants() -> dict[str, str]:
    """Give the metrics that have a name of their own in the code, such as in a vendor's limits."""
    found: dict[str, str] = {}
    for _, tree in modules():
        for node in tree.body:
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                    found[name] = text
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                    found[name] = text
                case _:
                    pass
    return {name: text for name, text in found.items() if text.startswith("signalfleet_")}


def uses() -> Iterator[tuple[str, str, str, frozenset[str] | None]]:
    """Yield place, method, metric and labels of every call; labels None where they are spread."""
    names = constants()
    for path, tree in modules():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=method), args=[first, *_], keywords=keywords
                ) if method in KINDS:
                    name = metric_of(first, names)
                case _:
                    continue
            if name is None:
                continue
            given = [word.arg for word in keywords]
            labels = None if None in given else frozenset(w for w in given if w) - OWN
            yield f"{path}:{node.lineno}", method, name, labels


def metric_of(node: ast.expr, names: dict[str, str]) -> str | None:
    match node:
        case ast.Constant(value=str(text)) if text.startswith("signalfleet_"):
            return text
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return names.get(name)
        case _:
            return None


def texts() -> Iterator[tuple[str, str]]:
    """Yield every whole text in the code that looks like a metric's name."""
    for path, tree in modules():
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if (
                    text.startswith("signalfleet_")
                    and text.isidentifier()
                    and not text.startswith("signalfleet_sim")
                ):
                    yield f"{path}:{node.lineno}", text
                case _:
                    pass


def test_the_scan_sees_the_calls() -> None:
    assert len(list(uses())) > 20


def test_every_call_names_a_metric_of_its_kind_with_its_labels() -> None:
    wrong = []
    for place, method, name, labels in uses():
        catalogue = KINDS[method]
        if name not in catalogue:
            wrong.append(f"{place}: {method} of {name}, which is not in the catalogue")
        elif labels is not None and labels != frozenset(catalogue[name][1]):
            wrong.append(f"{place}: {name} with {sorted(labels)}, not {catalogue[name][1]}")
    assert wrong == []


def test_every_name_of_a_metric_anywhere_is_in_the_catalogue() -> None:
    known = {*COUNTERS, *GAUGES, *HISTOGRAMS, *DISTRIBUTIONS}
    unknown = [f"{place}: {name}" for place, name in texts() if name not in known]
    assert unknown == []


def test_every_metric_of_the_catalogue_is_counted_somewhere() -> None:
    used = {name for _, name in texts()}
    assert sorted({*COUNTERS, *GAUGES, *HISTOGRAMS, *DISTRIBUTIONS} - used) == []


def test_names_follow_the_customs_of_their_kinds() -> None:
    assert all(name.endswith("_total") for name in COUNTERS)
    assert all(name.endswith("_seconds") for name in HISTOGRAMS)
    assert not any(name.endswith("_total") for name in GAUGES)


def test_the_page_shows_what_was_counted() -> None:
    metrics = PrometheusMetrics()
    metrics.count("signalfleet_contradictions_total", kind="double_fill")
    metrics.count("signalfleet_contradictions_total", 2, kind="double_fill")
    metrics.gauge("signalfleet_active_bots", 7)
    page = metrics.text().decode()
    assert 'signalfleet_contradictions_total{kind="double_fill"} 3.0' in page
    assert "signalfleet_active_bots 7.0" in page


def test_a_distribution_shows_where_the_newest_values_lie() -> None:
    metrics = PrometheusMetrics()
    metrics.distribution("signalfleet_bot_cpu_ratio", [0.5, 0.5])
    metrics.distribution("signalfleet_bot_cpu_ratio", [0.0, 0.01, 0.011, 3.0])
    page = metrics.text().decode()
    assert "# TYPE signalfleet_bot_cpu_ratio gaugehistogram" in page or "gsum" in page
    for bound, count in (("0.0001", 1), ("0.01", 2), ("0.02", 3), ("1.0", 3), ("+Inf", 4)):
        assert f'signalfleet_bot_cpu_ratio_bucket{{le="{bound}"}} {count}.0' in page
    assert "signalfleet_bot_cpu_ratio_gcount 4.0" in page
    assert "signalfleet_bot_cpu_ratio_gsum 3.021" in page


def test_a_name_or_label_outside_the_catalogue_is_a_mistake_of_ours() -> None:
    metrics = PrometheusMetrics()
    with pytest.raises(KeyError):
        metrics.count("signalfleet_unheard_of_total")
    with pytest.raises(ValueError, match="label"):
        metrics.count("signalfleet_contradictions_total", user="u_1")


def test_a_series_is_the_same_however_its_labels_are_ordered_and_bad_ones_are_refused() -> None:
    metrics = PrometheusMetrics()
    metrics.count("signalfleet_signals_total", outcome="copied", reason="")
    metrics.count("signalfleet_signals_total", 2, reason="", outcome="copied")
    metrics.count("signalfleet_signals_total", outcome="", reason="copied")
    lines = metrics.text().decode().splitlines()
    assert 'signalfleet_signals_total{outcome="copied",reason=""} 3.0' in lines
    assert 'signalfleet_signals_total{outcome="",reason="copied"} 1.0' in lines
    with pytest.raises(ValueError, match="label"):
        metrics.count("signalfleet_signals_total", outcome="copied")
