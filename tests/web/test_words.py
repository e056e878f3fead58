"""Every code that can reach a page has a sentence."""

import importlib
import pkgutil
import re
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import pytest

import signalfleet.domain
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.signals.model import Doubt, Issue, Reason
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import CopyOutcome, TradeState
from signalfleet.ports.chat_source import Origin
from signalfleet.web.present.outcomes import _BY_COPY
from signalfleet.web.present.words import Words, readable

SOURCE = Path(signalfleet.domain.__file__).parent.parent
WORDS = Words.english()
# Guards of the plan, whether or not they are built yet.
GUARDS = """
paused close_only channel_off panic quota_trades_per_day quota_open_positions quota_channels
account_not_ready trading_disabled investor_password not_reconciled outcome_unknown entries_paused
symbol_blocked symbol_not_at_broker side_blocked order_kind_blocked repeat_of already_taken too_old
no_stop stop_wrong_side target_wrong_side stop_distance closed_hours market_closed weekend
news no_quote stale_quote spread price_moved sl_passed tp_passed near_stop r_left opposite_open
netting_symbol_busy open_risk currency_risk max_open symbol_open below_min_lot over_max_lots
margin margin_level daily_loss weekly_loss total_drawdown loss_streak prop_signals_forbidden
awaiting_approval entry_passed levels_never_came stops_level entry_never_opened deleted
absent_after_doubt superseded no_open_trade late_stop symbol_conflict
halted stop_unknown store_slow clock_unknown clock_wrong lease_over lease_ending
duplicate_left duplicate_ended frozen
""".split()
WRITTEN = re.compile(r"(?:code|reason|refusal)=\"([a-z][a-z_]+)\"")

NOT_SENT = re.compile(r"NotSentError\([^()]*reason=\"([a-z_]+)\"")


def codes_in(*rooms: str) -> set[str]:
    paths = (path for room in rooms for path in (SOURCE / room).rglob("*.py"))
    return {code for path in paths for code in WRITTEN.findall(path.read_text())}


def missing(table: str, codes: Iterable[str]) -> list[str]:
    return sorted({code for code in codes if not WORDS.has(table, code)})


@pytest.mark.parametrize("kind", [Reason, Doubt, Issue])
def test_every_reason_of_the_reader_has_a_sentence(kind: type[StrEnum]) -> None:
    assert missing("reason", [one.value for one in kind]) == []


def test_every_guard_has_a_sentence() -> None:
    assert missing("reason", GUARDS) == []


def test_every_code_written_in_the_source_has_a_sentence() -> None:
    found = codes_in("domain", "app")
    assert {"spread", "too_old"} <= found
    assert missing("reason", found) == []


def test_every_reason_of_a_bot_has_a_sentence() -> None:
    found = codes_in("bots", "adapters/telegram")
    assert {"moved", "unregistered"} <= found
    links = {"connected", "first", "transport", "membership"}
    assert missing("bot_reason", found - links) == []


def test_every_reason_why_an_order_did_not_leave_has_words() -> None:
    texts = (path.read_text() for path in (SOURCE / "adapters/metaapi").rglob("*.py"))
    found = {code for text in texts for code in NOT_SENT.findall(text)}
    assert {"no_route", "closing"} <= found
    assert missing("broker", found) == []


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("notice", NoticeKind),
        ("bot", BotState),
        ("bot_detail", BotState),
        ("intent", IntentState),
        ("trade", TradeState),
        ("via", Origin),
    ],
)
def test_every_state_has_words(table: str, kind: type[StrEnum]) -> None:
    assert missing(table, [one.value for one in kind]) == []


def test_every_outcome_has_a_chip() -> None:
    assert set(_BY_COPY) == set(CopyOutcome)
    assert missing("outcome", list(_BY_COPY.values())) == []


def test_every_enumeration_of_the_domain_can_be_loaded() -> None:
    """The scan above reads text; this sees that the text is what runs."""
    for module in pkgutil.walk_packages(signalfleet.domain.__path__, "signalfleet.domain."):
        importlib.import_module(module.name)


def test_sentences_say_what_happened_without_shouting() -> None:
    text = (SOURCE / "web/messages/en.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    for code, entry in tables["reason"].items():
        for wording in [entry] if isinstance(entry, str) else entry:
            assert wording.endswith("."), code
            assert "!" not in wording, code
            assert "oops" not in wording.lower(), code
        if not isinstance(entry, str):
            assert "{" not in entry[-1], f"{code} needs a last wording without values"


def test_values_are_named_and_a_missing_one_falls_back() -> None:
    given = {"value": "62 points", "limit": "40 points"}
    assert WORDS.reason("spread", given) == (
        "The spread of 62 points is above your limit of 40 points."
    )
    assert WORDS.reason("spread", {"value": "62 points"}) == "The spread was above your limit."
    assert WORDS.reason("spread", {"value": "{x}", "limit": "{0.__class__}"}) == (
        "The spread of {x} is above your limit of {0.__class__}."
    )


def test_an_unknown_code_is_shown_readable() -> None:
    assert WORDS.reason("a_new_code") == "A new code"
    assert WORDS.reason("TRADE_RETCODE_NO_MONEY") == "There is not enough money on the account"
    assert readable("") == "No reason was given"
