"""Laws that hold for every text, not only for the ones we know."""

import re
import string
import unicodedata
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import (
    BreakEven,
    FollowUp,
    MoveEntry,
    MoveStop,
    MoveTarget,
    Parsed,
    ParseResult,
    SetTargets,
    Signal,
    TpRef,
)
from signalfleet.domain.signals.numbers import readings
from signalfleet.domain.signals.text import MAX_CHARS, fold, offsets, tokens

Read = Callable[..., ParseResult]
LAWS = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = st.sampled_from(
    "buy sell gold XAUUSD EURUSD now limit stop sl tp tp1 target entry close half be all cancel "
    "2350 2340 1.0850 1,0850 50% 30 pips @ - / : ( ) ✅ ❌ 🔥 don't if you want ? . \n \n\n "
    "الذهب شراء "
    "золото вход 黄金 做多 止损 oro compra hit move to SL TP3 1️⃣ 2️⃣ at 🎯 🛑 yesterday will".split(
        " "
    )
)
SYMBOL = st.sampled_from(["XAUUSD", "GOLD", "#XAUUSD", "XAU/USD"])


@st.composite
def signals(draw: st.DrawFn) -> str:
    side = draw(st.sampled_from(["BUY", "SELL"]))
    sign = 1 if side == "BUY" else -1
    entry = draw(st.integers(2100, 2900))
    stop = entry - sign * draw(st.integers(5, 40))
    first = entry + sign * draw(st.integers(5, 40))
    second = first + sign * draw(st.integers(1, 40))
    now = draw(st.sampled_from(["", " NOW", " LIMIT"]))
    name = draw(SYMBOL)
    return f"{name} {side}{now} {entry}\nSL {stop}\nTP1 {first}\nTP2 {second}"


def only_signal(result: ParseResult) -> Signal:
    assert isinstance(result, Parsed), result
    (reading,) = result.readings
    assert isinstance(reading, Signal)
    return reading


def meaning(signal: Signal) -> tuple[object, ...]:
    return signal.symbol, signal.side, signal.order, signal.entry, signal.stop, signal.targets


@LAWS
@given(st.text(max_size=300))
def test_any_text_gives_a_result(read: Read, text: str) -> None:
    assert read(text) == read(text)


@LAWS
@given(st.lists(WORDS, max_size=60), st.lists(WORDS, max_size=12))
def test_any_heap_of_trading_words_gives_a_result(
    read: Read, words: list[str], parent: list[str]
) -> None:
    text, before = " ".join(words), " ".join(parent)
    assert read(text) is not None
    assert read(text, reply_to=before) is not None
    assert read(text, edit_of=before) is not None


@LAWS
@given(st.lists(WORDS, max_size=40))
def test_every_price_of_a_reading_stands_in_the_text(read: Read, words: list[str]) -> None:
    text = " ".join(words)
    result = read(text)
    written = {
        value
        for piece in re.findall(r"\d[\d.,]*\d|\d", fold(text))
        for value in (*readings(piece), *(v for part in piece.split(",") for v in readings(part)))
    }
    endings = {str(value)[-2:] for value in written}
    for reading in result.readings if isinstance(result, Parsed) else ():
        if isinstance(reading, Signal):
            for price in levels(reading):
                # A shorthand keeps the last digits that are written.
                assert price.value in written or str(price.value)[-2:] in endings


@LAWS
@given(signals(), st.lists(WORDS, max_size=20))
def test_every_price_of_a_follow_up_stands_in_the_text_or_in_its_parent(
    read: Read, parent: str, words: list[str]
) -> None:
    text = " ".join(words)
    result = read(text, reply_to=parent)
    pieces = re.findall(r"\d[\d.,]*\d|\d", fold(f"{text}\n{parent}"))
    written = {
        value
        for piece in pieces
        for value in (*readings(piece), *(v for part in piece.split(",") for v in readings(part)))
    }
    endings = {str(value)[-2:] for value in written}
    for reading in result.readings if isinstance(result, Parsed) else ():
        if isinstance(reading, FollowUp):
            for price in moved_to(reading):
                assert price.value in written or str(price.value)[-2:] in endings


def moved_to(follow_up: FollowUp) -> list[Price]:
    match follow_up.action:
        case MoveStop(to=Price() as price) | MoveStop(to=TpRef(price=Price() as price)):
            return [price]
        case BreakEven(price=Price() as price) | MoveTarget(price=Price() as price):
            return [price]
        case SetTargets(prices=prices):
            return [price for price in prices if price is not None]
        case MoveEntry(entry=entry):
            return [entry.low, entry.high]
        case _:
            return []


def levels(signal: Signal) -> list[Price]:
    entry = [signal.entry.low, signal.entry.high] if signal.entry else []
    return [price for price in (*entry, signal.stop, *signal.targets) if price is not None]


@LAWS
@given(signals())
def test_a_plain_signal_is_read_to_the_letter(read: Read, text: str) -> None:
    signal = only_signal(read(text))
    numbers = [Decimal(one) for one in re.findall(r"(?<![A-Z])\b\d{4}\b", text)]
    assert [price.value for price in levels(signal)] == [numbers[0], *numbers]
    assert signal.symbol == "XAUUSD"


@LAWS
@given(
    signals(),
    st.sampled_from(
        [
            lambda text: unicodedata.normalize("NFD", text),
            lambda text: unicodedata.normalize("NFKC", text),
            lambda text: text.lower(),
            lambda text: text.title(),
            lambda text: "🔥 " + text.replace("\n", " 🔥\n🔥 ") + " 🚀",
            lambda text: text.replace("\n", "\n\n"),
            "\u200b".join,
            lambda text: text.replace(" ", "\u00a0"),
            lambda text: "".join(map(bold, text)),
            lambda text: "".join(map(wide, text)),
            lambda text: re.sub(r"\d{4}", lambda found: keycaps(found[0]), text),
            lambda text: text + "\n\nJoin our VIP channel today, contact @support",
            lambda text: "**" + text.replace("\n", "**\n**") + "**",
        ]
    ),
)
def test_decoration_changes_nothing(read: Read, text: str, decorate: Callable[[str], str]) -> None:
    assert meaning(only_signal(read(decorate(text)))) == meaning(only_signal(read(text)))


def bold(char: str) -> str:
    if char in string.ascii_uppercase:
        return chr(0x1D400 + ord(char) - ord("A"))
    return chr(0x1D7CE + int(char)) if char.isdigit() else char


def wide(char: str) -> str:
    return chr(ord(char) + 0xFEE0) if char.isalnum() else char


def keycaps(digits: str) -> str:
    return "".join(f"{digit}\ufe0f\u20e3" for digit in digits)


@LAWS
@given(signals())
def test_do_not_before_a_signal_never_leaves_an_open(read: Read, text: str) -> None:
    one_line = text.replace("\n", " ")
    for negation in ("do not ", "Don't ", "never ", "avoid ", "DO NOT "):
        result = read(negation + one_line)
        assert not isinstance(result, Parsed) or not any(
            isinstance(reading, Signal) for reading in result.readings
        )


@LAWS
@given(signals())
def test_swapping_the_side_word_mirrors_the_side(read: Read, text: str) -> None:
    swapped = text.replace("BUY", "X").replace("SELL", "BUY").replace("X", "SELL", 1)
    if "XAU" in text:
        swapped = text.replace("BUY", "!").replace("SELL", "BUY").replace("!", "SELL")
    signal = only_signal(read(swapped))
    assert signal.side is only_signal(read(text)).side.opposite
    assert signal.issues  # The levels now lie on the wrong sides, and that is said.


@LAWS
@given(signals())
def test_every_field_has_its_piece_of_the_original(read: Read, text: str) -> None:
    signal = only_signal(read(text))
    for span in signal.spans:
        piece = text[span.start : span.end]
        if span.field in {"entry", "stop", "target"}:
            assert Price.of(piece) in levels(signal)
        elif span.field == "side":
            assert piece.lower().startswith(signal.side.value)
        else:
            assert span.field == "symbol"


@LAWS
@given(st.integers(1_000, 999_999), st.integers(0, 99))
def test_a_number_survives_every_style_of_separators(whole: int, cents: int) -> None:
    value = Decimal(f"{whole}.{cents:02}")
    for style in (f"{whole:,}.{cents:02}", f"{whole:,}".replace(",", ".") + f",{cents:02}"):
        assert value in readings(style)
    for style in (f"{whole:,}".replace(",", "'"), f"{whole:,}".replace(",", "\xa0")):
        assert Decimal(whole) in readings(style)


def test_each_ascii_character_folds_alike_alone_and_beside_another_script() -> None:
    for code in range(128):
        assert fold(chr(code)) + "я" == fold(chr(code) + "я")


@LAWS
@given(st.text(max_size=200))
def test_folding_leads_each_character_back_to_the_one_it_came_from(text: str) -> None:
    places = offsets(text)
    for at, char in enumerate(fold(text)):
        assert char in fold(text[places[at]])


@LAWS
@given(st.text(max_size=200))
def test_folding_keeps_a_way_back_to_the_original(text: str) -> None:
    folded = fold(text)
    places = offsets(text)
    assert len(places) == len(folded) + 1
    assert list(places) == sorted(places)
    assert all(0 <= place <= len(text) for place in places)
    for _, piece, start, end in tokens(folded):
        assert folded[start:end] == piece


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize(
    "text",
    [
        "ACHAT OR 2345\nArrêt 2338\nObjectif 2355",
        "Bán vàng ngay vùng 2390-2393, cắt lỗ 2398, chốt lời 2380",
        "सोना खरीदें 2345\nस्टॉप लॉस 2338\nटारगेट 2355",
        "골드 매수 2345\n손절 2338\n목표 2355",
        "شراء الذهب من 2345\nوقف الخسارة 2338\nالهدف 2355",
    ],
)
def test_composed_and_decomposed_texts_read_alike(read: Read, text: str, form: str) -> None:
    changed = unicodedata.normalize(form, text)  # type: ignore[arg-type]
    assert meaning(only_signal(read(changed))) == meaning(only_signal(read(text)))


@pytest.mark.parametrize(
    "piece",
    [
        *("\ufdfa", "\u0301", "1", "1.", "1,", "sl ", "tp 1 ", "buy ", "🔥", "\u202e", "\ud800"),
        *("(", "?", "a", "1\u20e3", "sl to be ", "stop / ", "close gold "),
        "buy gold 2350 sl 2340 tp 2360 ",
        "close eurusd, close gold, ",
        "sl tp entry\nbuy gold 2350 2340 2360\n",
        *('"buy gold sl 12 ', "sl *** ", "2) 2360 3) ", "sell limit gold 2350\n", "news, close, "),
    ],
)
def test_hostile_texts_give_a_result_and_stay_small(read: Read, piece: str) -> None:
    text = (piece * MAX_CHARS)[: MAX_CHARS + 50]
    assert read(text) is not None
    assert len(fold(text)) <= MAX_CHARS * 2
