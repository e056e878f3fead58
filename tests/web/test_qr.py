"""QR codes of our own, held against another encoder and read back by the rules."""

import hashlib
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.web.present import qr

# Fills its version to the last byte at the sizes below, so that no choice of padding is left.
FULL = "tg://login?token=" + "".join(chr(97 + i % 26) for i in range(300))


def words_of(matrix: qr.Matrix, version: int, mask: int) -> bytes:
    canvas = qr._Canvas(version)
    canvas.draw_patterns()
    bits = [bool(matrix[y][x]) != qr._is_masked(mask, x, y) for x, y in canvas.free()]
    return bytes(
        int("".join("1" if bit else "0" for bit in bits[i : i + 8]), 2)
        for i in range(0, len(bits) - 7, 8)
    )


def mask_of(matrix: qr.Matrix) -> int:
    bits = sum(matrix[y][8] << i for i, y in enumerate((0, 1, 2, 3, 4, 5)))
    bits |= matrix[7][8] << 6 | matrix[8][8] << 7 | matrix[8][7] << 8
    bits |= sum(matrix[8][x] << i for i, x in enumerate((5, 4, 3, 2, 1, 0), start=9))
    return (bits ^ 0x5412) >> 10 & 0b111


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_what_is_drawn_can_be_read_back(text: str) -> None:
    matrix = qr.qr_matrix(text)
    version = (len(matrix) - 17) // 4
    payload = text.encode()
    expected = qr._with_correction(version, qr._data_words(version, payload))
    assert words_of(matrix, version, mask_of(matrix)) == expected


@pytest.mark.parametrize(
    ("size", "digest"),
    {
        42: "a9b061ef9f09ce16",
        106: "9fb41af358f5f43e",
        180: "343e89862e474b0e",
        213: "d2d2992fda3a62bd",
    }.items(),
)
def test_the_squares_are_those_of_another_encoder(size: int, digest: str) -> None:
    matrix = qr.qr_matrix(FULL[:size])
    text = "\n".join("".join("#" if dark else "." for dark in row) for row in matrix)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest


def test_a_text_that_does_not_fit_is_refused() -> None:
    assert len(qr.qr_matrix("x" * 213)) == 57
    with pytest.raises(ValueError, match="too long"):
        qr.qr_matrix("x" * 214)


def test_the_path_draws_each_dark_square_once() -> None:
    matrix = qr.qr_matrix("tg://login?token=abc")
    path = qr.qr_path(matrix)
    runs = [part.split("h") for part in path.split("M")[1:]]
    assert sum(int(run[1].split("v")[0]) for run in runs) == sum(map(sum, matrix))
    ET.fromstring(f'<svg><path d="{path}"/></svg>')  # noqa: S314 - our own text


def test_a_terminal_gets_two_rows_in_a_line_with_quiet_around() -> None:
    matrix = qr.qr_matrix("hello")
    lines = list(qr.qr_lines(matrix))
    assert len(lines) == (len(matrix) + 8 + 1) // 2
    assert {len(line) for line in lines} == {len(matrix) + 8}
    assert not lines[0].strip()
