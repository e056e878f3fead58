"""Which profiles may be saved, and what is said about those that may not."""

import re
from typing import Any

import pytest

from kit.builders import CHAT
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.app.edit_profile import EditProfile
from signalfleet.app.profile_document import ProfileRefusedError
from signalfleet.bootstrap.language import load_profile_editor
from signalfleet.domain.ids import SLOTS, UserId
from signalfleet.domain.signals.judge import Verdict
from signalfleet.domain.signals.model import Parsed
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import SettingsDocs, UserProfile

MOO = {
    "name": "moo",
    "pattern": r"moo (?P<sl>\d+)",
    "action": "open",
    "side": "buy",
    "symbol": "XAUUSD",
    "matches": ["moo 2338"],
    "misses": ["mooring 2338"],
}
LABELS = [{"kind": "none"}]


@pytest.fixture
def editor() -> EditProfile:
    return load_profile_editor()


def problems(editor: EditProfile, doc: object) -> str:
    with pytest.raises(ProfileRefusedError) as refused:
        editor.check(doc)
    return " ".join(refused.value.problems)


def test_every_part_of_a_profile_is_read(editor: EditProfile) -> None:
    doc = {
        "version": 4,
        "default_symbol": "xauusd",
        "no_price_means_market": False,
        "keywords": {"buy": ["zap"], "EURUSD": ["fibre"]},
        "ignore_words": ["demo account"],
        "pip_size": {"XAUUSD": "0.1"},
        "number_style": "comma",
        "signal_topics": [7],
        "rules": [MOO],
        "layouts": ["00ff"],
        "layouts_at": 12,
        "accept_at": 90,
        "hold_at": 60,
        "examples": [{"text": "Good morning", "labels": LABELS}],
    }
    profile = editor.check(doc).profile
    assert (profile.version, profile.default_symbol) == (4, "XAUUSD")
    assert not profile.no_price_means_market
    assert profile.extra_words == {"buy": ("zap",), "EURUSD": ("fibre",)}
    assert str(profile.pip_size["XAUUSD"]) == "0.1"
    assert [rule.name for rule in profile.rules] == ["moo"]
    assert (profile.accept_at, profile.hold_at, profile.layouts_at) == (90, 60, 12)


REFUSED: dict[str, tuple[object, str]] = {
    "no object": ([1], "A profile is an object"),
    "unknown field": ({"sybmol": "XAUUSD"}, "Unknown: sybmol"),
    "unknown symbol": ({"default_symbol": "GOLDX"}, "GOLDX is no symbol"),
    "unknown role": ({"keywords": {"nonsense": ["zap"]}}, "'nonsense' is no role"),
    "words as text": ({"keywords": {"buy": "zap"}}, "keywords: must be a list"),
    "empty word": ({"keywords": {"buy": [" "]}}, "keywords: a text is missing"),
    "too many words": ({"keywords": {"buy": ["zap"] * 201}}, "200 are the most"),
    "short ignore": ({"ignore_words": ["a"]}, "would silence nearly every message"),
    "pip as number": ({"pip_size": {"XAUUSD": 0.1}}, "written as text"),
    "pip of zero": ({"pip_size": {"XAUUSD": "0"}}, "written as text"),
    "decimal mark": ({"number_style": "point"}, "number_style"),
    "low bar": ({"accept_at": 40}, "accept_at: must be a whole number from 70 to 100"),
    "bars crossed": ({"accept_at": 70, "hold_at": 80}, "hold_at must not be above accept_at"),
    "too long": ({"ignore_words": ["x" * 70_000]}, "longer than 64000 characters"),
    "rule is text": ({"rules": ["moo"]}, "rule 1: a rule is an object"),
    "no name": ({"rules": [{**MOO, "name": ""}]}, "a text is missing"),
    "twice": ({"rules": [MOO, MOO]}, "another rule has this name"),
    "unknown action": ({"rules": [{**MOO, "action": "hedge"}]}, "'hedge' is none of open"),
    "bad pattern": ({"rules": [{**MOO, "pattern": "moo ("}]}, "The pattern cannot be used"),
    "back reference": ({"rules": [{**MOO, "pattern": r"(m)\1"}]}, "The pattern cannot be used"),
    "look-ahead": ({"rules": [{**MOO, "pattern": "(?=m)"}]}, "The pattern cannot be used"),
    "long pattern": ({"rules": [{**MOO, "pattern": "m" * 501}]}, "500 are the most"),
    "huge pattern": ({"rules": [{**MOO, "pattern": r"(\w{1000}){9}"}]}, "The pattern cannot"),
    "unknown group": (
        {"rules": [{**MOO, "pattern": r"moo (?P<sl>\d+)(?P<x>)"}]},
        "moo: x is no group",
    ),
    "no side": ({"rules": [{**MOO, "side": ""}]}, "no complete signal comes of it"),
    "no example": ({"rules": [{**MOO, "matches": []}]}, "needs at least one text"),
    "no match": ({"rules": [{**MOO, "matches": ["woof"]}]}, 'does not match "woof"'),
    "a miss": ({"rules": [{**MOO, "misses": ["big moo 1"]}]}, "which it must leave alone"),
    "chatter": (
        {"rules": [{**MOO, "pattern": "gold", "matches": ["gold"]}]},
        "a trade would open on chatter",
    ),
    "example": ({"examples": [{"text": "BUY GOLD 2350 SL 2340", "labels": LABELS}]}, "otherwise"),
    "no labels": ({"examples": [{"text": "BUY GOLD 2350 SL 2340"}]}, "needs its labels"),
}


@pytest.mark.parametrize(("doc", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_may_not_be_saved_is_refused_with_the_reason(
    editor: EditProfile, doc: object, sentence: str
) -> None:
    assert sentence in problems(editor, doc)


def test_all_problems_are_told_at_once(editor: EditProfile) -> None:
    said = problems(editor, {"accept_at": 1, "ignore_words": ["a"], "rules": [1, 2]})
    assert len(re.findall(r"accept_at:|ignore_words:|rule \d:", said)) == 4


def test_a_text_is_tried_with_a_profile(editor: EditProfile) -> None:
    profile = editor.check({"keywords": {"buy": ["zap"]}, "no_price_means_market": False}).profile
    trial = editor.try_text("zap gold SL 2340", profile)
    assert isinstance(trial.result, Parsed)
    assert trial.verdicts == (Verdict.HOLD,)
    reply = editor.try_text("SL 2341", profile, "zap gold 2350 SL 2340")
    assert isinstance(reply.result, Parsed)


class TestSaving:
    @pytest.fixture
    async def settings(self) -> SettingsDocs:
        store = MemoryStore(cell="c1")
        user = UserId("u_mfrggzdfmztwq2lk")
        await store.fleet.add_user(
            UserProfile(
                user_id=user,
                telegram_id=1,
                display_name="Ann",
                tier="FREE",
                timezone="UTC",
                slot=SLOTS - 1,
            )
        )
        return store.user(user).settings

    async def test_versions_count_up_whatever_the_document_says(
        self, editor: EditProfile, settings: SettingsDocs
    ) -> None:
        first: dict[str, Any] = {"version": 77, "ignore_words": ["demo account"]}
        assert await editor.save(settings, CHAT, first, 0) == 1
        stored = await editor.load(settings, CHAT)
        assert stored.doc == {"version": 1, "ignore_words": ["demo account"]}
        assert await editor.save(settings, CHAT, {}, stored.revision) == 2

    async def test_a_refused_profile_leaves_the_old_one(
        self, editor: EditProfile, settings: SettingsDocs
    ) -> None:
        await editor.save(settings, CHAT, {"rules": [MOO]}, 0)
        with pytest.raises(ProfileRefusedError):
            await editor.save(settings, CHAT, {"rules": [{**MOO, "pattern": "("}]}, 1)
        assert (await editor.load(settings, CHAT)).doc["rules"] == [MOO]

    async def test_a_save_on_an_old_revision_is_refused(
        self, editor: EditProfile, settings: SettingsDocs
    ) -> None:
        await editor.save(settings, CHAT, {}, 0)
        with pytest.raises(ConflictError):
            await editor.save(settings, CHAT, {}, 0)
