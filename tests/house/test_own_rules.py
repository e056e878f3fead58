"""Each own rule finds what it is for and leaves its look-alikes alone."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.lint.__main__ import findings
from tools.lint.pattern_repeats import is_explosive
from tools.lint.source import Source

APP = "src/signalfleet/app/connect_mt5.py"
EXECUTE = "src/signalfleet/app/execute_signal.py"
ADAPTER = "src/signalfleet/adapters/metaapi/broker.py"

BREACHES = {
    "submit-in-execute": [
        (APP, "await broker.submit(order, gate)"),
        (APP, "outcome = await self._broker.submit(order, gate)"),
        ("src/signalfleet/bots/runtime.py", "send = self.broker.submit"),
        ("src/signalfleet/web/api/trades.py", "getattr(broker, 'submit')(order)"),
    ],
    "metric-labels": [
        (ADAPTER, "metrics.count('signalfleet_intents_total', user_id=str(user))"),
        (ADAPTER, "self._metrics.observe('signalfleet_fill_seconds', 0.2, symbol='XAUUSD')"),
        (ADAPTER, "metrics.gauge('signalfleet_lots', 1.0, **{'account': account})"),
        (ADAPTER, "C = Counter('signalfleet_trades', 'Trades.', ['state', 'channel_id'])"),
        (ADAPTER, "H = prometheus_client.Histogram('x', 'y', labelnames=('user',))"),
        (ADAPTER, "TRADES.labels(user=user_id).inc()"),
    ],
    "no-retry-of-orders": [
        (EXECUTE, "@retry(attempts=3)\nasync def send():\n    await broker.submit(order, gate)"),
        (ADAPTER, "class B:\n    @stamina.retry(on=OSError)\n    async def submit(self, o): ..."),
        (EXECUTE, "await with_retries(broker.submit, order)"),
        (EXECUTE, "await retrying(lambda: broker.submit(order, gate))"),
        (EXECUTE, "async def send():\n    await broker.submit(o, g)\nrun(backoff.on(send))"),
        (EXECUTE, "for attempt in range(3):\n    await broker.submit(order, gate)"),
        (EXECUTE, "while tries < 3:\n    await broker.submit(order, gate)"),
    ],
    "pattern-repeats": [
        (APP, r"P = re.compile(r'(a+)+$')"),
        (APP, r"re.search(r'(?:\s*\w*)*:', text)"),
        (APP, "WORD = r'\\w+'\nP = re.compile('(?:' + WORD + r'\\s?)+x')"),
        (APP, "WORD = r'\\w+'\nP = re.compile(rf'(?:{WORD})*x')"),
        (APP, "P = re.compile('''( a+ # letters\n)+''', re.VERBOSE)"),
    ],
    "user-paths": [
        ("src/signalfleet/adapters/firebase/store.py", "path = f'users/{user_id}/trades'"),
        ("src/signalfleet/adapters/firebase/store.py", "path = '/users/' + user_id"),
    ],
    "secret-in-text": [
        (ADAPTER, "url = f'{base}?token={token.reveal()}'"),
        (ADAPTER, "log.info('signed_in', token=token.reveal())"),
        (ADAPTER, "raise ValueError('bad token %s' % token.reveal())"),
        (ADAPTER, "text = 'token {}'.format(token.reveal())"),
        (ADAPTER, "print(settings.encryption_key.get_secret_value())"),
    ],
    "long-code": [
        (APP, "x = 1\n" * 401),
        (APP, "def plan():\n" + "    x = 1\n" * 60),
        (APP, "class Plan:\n    async def make(self):\n" + "        x = 1\n" * 60),
    ],
}

ALLOWED = [
    (EXECUTE, "outcome = await self._broker.submit(order, gate)"),
    (EXECUTE, "for leg in plan.legs:\n    await broker.submit(leg.order, gate)"),
    (APP, "future = executor.submit(work)\nother = self._pool.submit(work)"),
    (ADAPTER, "class PaperBroker:\n    async def submit(self, order, gate): ..."),
    ("drills/d2_answer_lost.py", "await broker.submit(order, gate)"),
    (ADAPTER, "metrics.count('signalfleet_intents_total', state='accepted', region=region)"),
    (ADAPTER, "words.count('user')"),
    (ADAPTER, "COUNTS.labels(state).inc()"),
    (
        ADAPTER,
        "@retry(attempts=3)\nasync def snapshot(self):\n    return await self._get('/orders')",
    ),
    (APP, r"P = re.compile(r'\d{1,3}(?:,\d{3})*(?:\.\d+)?')"),
    (APP, r"P = re.compile(r'\w+(?:-\w+)*')"),
    (APP, r"P = re.compile(r'(?:a++)+b|(?>c+)+d')"),
    (APP, r"P = re.compile(r'(?:\s{0,3}\w{1,20})*')"),
    (APP, "P = re.compile(pattern)"),
    (ADAPTER, "url = f'/users/current/accounts/{account_id}'"),
    (ADAPTER, "text = _CONFIG.format(token=token.reveal())"),
    ("src/signalfleet/adapters/firebase/paths.py", "def user_path(u):\n    return f'users/{u}'"),
    (APP, "x = 1\n" * 400),
    (APP, "def plan():\n" + "    x = 1\n" * 59),
    ("bench/load/town.py", "x = 1\n" * 401),
    (ADAPTER, "log.info('signed_in', token=token)\nself._headers['auth-token'] = token.reveal()"),
]


def rules_broken(path: str, code: str) -> set[str]:
    return {finding.rule for finding in findings(Source.of(path, code))}


@pytest.mark.parametrize(
    ("rule", "path", "code"), [(r, p, c) for r, cases in BREACHES.items() for p, c in cases]
)
def test_a_breach_is_found(rule: str, path: str, code: str) -> None:
    assert rule in rules_broken(path, code)


@pytest.mark.parametrize(("path", "code"), ALLOWED)
def test_what_only_looks_like_a_breach_is_left_alone(path: str, code: str) -> None:
    assert rules_broken(path, code) == set()


def test_a_breach_with_a_reason_beside_it_is_allowed() -> None:
    code = "await broker.submit(o, g)  # lint: allow submit-in-execute: the broker's own wrapper"
    assert rules_broken(APP, code) == set()


def test_an_allowance_without_a_reason_or_for_another_rule_allows_nothing() -> None:
    bare = "await broker.submit(o, g)  # lint: allow submit-in-execute:"
    other = "await broker.submit(o, g)  # lint: allow metric-labels: because"
    assert rules_broken(APP, bare) == rules_broken(APP, other) == {"submit-in-execute"}


def test_an_allowance_for_a_rule_that_does_not_exist_is_itself_a_finding() -> None:
    assert rules_broken(APP, "x = 1  # lint: allow no-such-rule: because") == {"allowance"}


PIECES = ["a", "b", r"\d", r"\w", r"\s", ",", "[ab]", "[^,]", "."]


@given(
    first=st.sampled_from(PIECES),
    inner=st.sampled_from(["+", "*"]),
    second=st.sampled_from([*PIECES, ""]),
    outer=st.sampled_from(["+", "*"]),
)
def test_a_pattern_that_passes_answers_quickly(
    first: str, inner: str, second: str, outer: str
) -> None:
    pattern = f"^(?:{first}{inner}{second}){outer}!$"
    if is_explosive(pattern):
        return
    for text in ("a" * 24, "a," * 12, "1 " * 12, " " * 24, "ab" * 12, "," * 24):
        start = time.perf_counter()
        re.match(pattern, text)
        assert time.perf_counter() - start < 0.5, (pattern, text)
