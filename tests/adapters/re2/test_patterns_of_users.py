"""What users may write as patterns, and what is refused with a reason."""

import time

import pytest

from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.ports.patterns import MAX_PATTERN_CHARS, PatternRefusedError


def test_named_groups_are_found_at_code_points_of_the_text() -> None:
    pattern = Re2Compiler().compile(
        r"(?P<side>buy|sell) +(?P<symbol>\w+)(?: at (?P<entry>[\d.]+))?"
    )
    text = "é🔥 BUY gold"
    match = pattern.search(text)
    assert match is not None
    assert {name: text[start:end] for name, (start, end) in match.groups.items()} == {
        "side": "BUY",
        "symbol": "gold",
    }
    assert text[match.start : match.end] == "BUY gold"
    assert pattern.names == {"side", "symbol", "entry"}


def test_letters_match_as_messages_have_them_after_folding() -> None:
    pattern = Re2Compiler().compile(r"Arrêt (?P<sl>\d+)")
    assert pattern.search("arret 2338") is not None


def test_a_folded_mark_never_becomes_part_of_the_pattern_language() -> None:
    pattern = Re2Compiler().compile("【vip】")
    assert pattern.search("(vip)") is not None
    assert pattern.search("vip") is None


@pytest.mark.parametrize(
    "source",
    ["", "  ", "(", "a(?=b)", r"(a)\1", "a{1001}", "(a{100}){100}", "x" * 501],
)
def test_what_is_not_allowed_is_refused_with_a_reason(
    source: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PatternRefusedError, match="pattern"):
        Re2Compiler().compile(source)
    # The library must not print a user's text.
    assert capfd.readouterr() == ("", "")


def test_a_pattern_that_would_need_too_much_memory_is_refused() -> None:
    with pytest.raises(PatternRefusedError, match="cannot be used"):
        Re2Compiler().compile(r"[\pL\pN]{1000}" * (MAX_PATTERN_CHARS // 20))


def test_a_pattern_that_hangs_backtracking_engines_takes_no_time() -> None:
    pattern = Re2Compiler().compile("(x+x+)+y")
    start = time.perf_counter()
    assert pattern.search("x" * 4096) is None
    assert time.perf_counter() - start < 1


def test_a_broken_character_in_a_message_is_no_error() -> None:
    match = Re2Compiler().compile("gold").search("\ud800 gold")
    assert match is not None
    assert (match.start, match.end) == (2, 6)
