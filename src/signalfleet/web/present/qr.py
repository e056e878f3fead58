"""QR codes, drawn by ourselves: what one says may be an account, so nobody else may draw it.

Text as bytes, error correction M, versions 1 to 10 (at most 213 bytes), by ISO/IEC 18004.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Final

Matrix = Sequence[Sequence[bool]]

QUIET_ZONE: Final = 4
_FINDER: Final = 7
_TIMING: Final = 6
# For level M: codewords for correction in a block, then (blocks, codewords of data in each).
_BLOCKS: Final[dict[int, tuple[int, tuple[tuple[int, int], ...]]]] = {
    1: (10, ((1, 16),)),
    2: (16, ((1, 28),)),
    3: (26, ((1, 44),)),
    4: (18, ((2, 32),)),
    5: (24, ((2, 43),)),
    6: (16, ((4, 27),)),
    7: (18, ((4, 31),)),
    8: (22, ((2, 38), (2, 39))),
    9: (22, ((3, 36), (2, 37))),
    10: (26, ((4, 43), (1, 44))),
}
_ALIGNED: Final[dict[int, tuple[int, ...]]] = {
    1: (),
    2: (6, 18),
    3: (6, 22),
    4: (6, 26),
    5: (6, 30),
    6: (6, 34),
    7: (6, 22, 38),
    8: (6, 24, 42),
    9: (6, 26, 46),
    10: (6, 28, 50),
}
_MODE_BYTES: Final = 0b0100
_PADDING: Final = (0xEC, 0x11)
_FIELD: Final = 0x11D
_FORMAT_POLYNOMIAL: Final = 0x537
_FORMAT_MASK: Final = 0x5412
_VERSION_POLYNOMIAL: Final = 0x1F25
_LEVEL_M: Final = 0b00
_FIRST_WITH_VERSION: Final = 7
_FIRST_WITH_LONG_COUNT: Final = 10
_LOOKS_LIKE_FINDER: Final = (
    (True, False, True, True, True, False, True, False, False, False, False),
    (False, False, False, False, True, False, True, True, True, False, True),
)


@functools.lru_cache(maxsize=64)
def qr_matrix(text: str) -> Matrix:
    """Return the code's squares row by row, True for dark; ValueError if the text is too long."""
    payload = text.encode()
    version = _version_for(len(payload))
    words = _with_correction(version, _data_words(version, payload))
    drawings = [_drawn(version, words, mask) for mask in range(8)]
    return min(drawings, key=_penalty)


def qr_path(matrix: Matrix) -> str:
    """Return an SVG path of the dark squares, one unit each, with the quiet zone around them."""
    parts: list[str] = []
    for y, row in enumerate(matrix, start=QUIET_ZONE):
        x = 0
        while x < len(row):
            width = 0
            while x + width < len(row) and row[x + width]:
                width += 1
            if width:
                parts.append(f"M{x + QUIET_ZONE} {y}h{width}v1h-{width}z")
            x += max(width, 1)
    return "".join(parts)


def qr_lines(matrix: Matrix) -> Iterator[str]:
    """Return lines of half blocks for a terminal, two rows of squares in each."""
    width = len(matrix) + 2 * QUIET_ZONE
    empty = [False] * width
    edge = [False] * QUIET_ZONE
    rows = [empty] * QUIET_ZONE + [[*edge, *row, *edge] for row in matrix] + [empty] * QUIET_ZONE
    if len(rows) % 2:
        rows.append(empty)
    blocks = {(False, False): " ", (True, False): "\u2580", (False, True): "\u2584"}
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "".join(blocks.get(pair, "\u2588") for pair in zip(upper, lower, strict=True))


def _capacity(version: int) -> int:
    return sum(blocks * words for blocks, words in _BLOCKS[version][1])


def _version_for(size: int) -> int:
    for version in _BLOCKS:
        head = 3 if version >= _FIRST_WITH_LONG_COUNT else 2
        if size + head <= _capacity(version):
            return version
    raise ValueError("this text is too long for a QR code of ours")


def _data_words(version: int, payload: bytes) -> bytes:
    count_bits = 16 if version >= _FIRST_WITH_LONG_COUNT else 8
    bits = f"{_MODE_BYTES:04b}{len(payload):0{count_bits}b}"
    bits += "".join(f"{one:08b}" for one in payload)
    room = _capacity(version) * 8
    bits += "0" * min(4, room - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    missing = _capacity(version) - len(words)
    return bytes([*words, *(_PADDING[i % 2] for i in range(missing))])


def _with_correction(version: int, data: bytes) -> bytes:
    """Cut into blocks, add their correction words, and deal all of them out in turn."""
    size, layout = _BLOCKS[version]
    blocks: list[bytes] = []
    start = 0
    for count, words in layout:
        for _ in range(count):
            blocks.append(data[start : start + words])
            start += words
    divisor = _divisor(size)
    corrections = [_remainder(block, divisor) for block in blocks]
    longest = max(map(len, blocks))
    dealt = [block[i] for i in range(longest) for block in blocks if i < len(block)]
    dealt += [one[i] for i in range(size) for one in corrections]
    return bytes(dealt)


def _times(a: int, b: int) -> int:
    """Multiply in the field of 256 elements."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (_FIELD if a & 0x80 else 0)
        b >>= 1
    return product


def _divisor(size: int) -> list[int]:
    """Return the polynomial with the roots 2^0 to 2^(size-1), without its leading 1."""
    polynomial, root = [1], 1
    for _ in range(size):
        shifted = [*polynomial, 0]
        scaled = [0, *(_times(one, root) for one in polynomial)]
        polynomial = [a ^ b for a, b in zip(shifted, scaled, strict=True)]
        root = _times(root, 2)
    return polynomial[1:]


def _remainder(block: bytes, divisor: Sequence[int]) -> bytes:
    rest = [0] * len(divisor)
    for word in block:
        factor = word ^ rest[0]
        rest = [a ^ _times(b, factor) for a, b in zip([*rest[1:], 0], divisor, strict=True)]
    return bytes(rest)


class _Canvas:
    """The squares of one code; `fixed` ones belong to patterns and are never masked."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.size = 17 + 4 * version
        self.dark = [[False] * self.size for _ in range(self.size)]
        self.fixed = [[False] * self.size for _ in range(self.size)]

    def fix(self, x: int, y: int, *, dark: bool) -> None:
        self.dark[y][x] = dark
        self.fixed[y][x] = True

    def draw_patterns(self) -> None:
        for i in range(self.size):
            self.fix(i, _TIMING, dark=i % 2 == 0)
            self.fix(_TIMING, i, dark=i % 2 == 0)
        far = self.size - 1 - _FINDER // 2
        for x, y in ((3, 3), (far, 3), (3, far)):
            self._finder(x, y)
        places = _ALIGNED[self.version]
        for x in places:
            for y in places:
                if not self.fixed[y][x] or _TIMING in (x, y):
                    self._alignment(x, y)
        self.draw_format(0)
        if self.version >= _FIRST_WITH_VERSION:
            self._draw_version()

    def draw_format(self, mask: int) -> None:
        value = _LEVEL_M << 3 | mask
        bits = (value << 10 | _checked(value, _FORMAT_POLYNOMIAL, 10)) ^ _FORMAT_MASK
        around = [(8, y) for y in (0, 1, 2, 3, 4, 5, 7, 8)]
        around += [(x, 8) for x in (7, 5, 4, 3, 2, 1, 0)]
        split = [(self.size - 1 - i, 8) for i in range(8)]
        split += [(8, self.size - 7 + i) for i in range(7)]
        for places in (around, split):
            for i, (x, y) in enumerate(places):
                self.fix(x, y, dark=bool(bits >> i & 1))
        self.fix(8, self.size - 8, dark=True)

    def _draw_version(self) -> None:
        bits = self.version << 12 | _checked(self.version, _VERSION_POLYNOMIAL, 12)
        for i in range(18):
            far, near = self.size - 11 + i % 3, i // 3
            self.fix(far, near, dark=bool(bits >> i & 1))
            self.fix(near, far, dark=bool(bits >> i & 1))

    def _finder(self, centre_x: int, centre_y: int) -> None:
        for dy in range(-4, 5):
            for dx in range(-4, 5):
                x, y = centre_x + dx, centre_y + dy
                if 0 <= x < self.size and 0 <= y < self.size:
                    self.fix(x, y, dark=max(abs(dx), abs(dy)) not in (2, 4))

    def _alignment(self, centre_x: int, centre_y: int) -> None:
        if self._touches_finder(centre_x, centre_y):
            return
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                self.fix(centre_x + dx, centre_y + dy, dark=max(abs(dx), abs(dy)) != 1)

    def _touches_finder(self, x: int, y: int) -> bool:
        near, far = _FINDER + 1, self.size - _FINDER - 2
        return (x < near and (y < near or y > far)) or (x > far and y < near)

    def free(self) -> Iterator[tuple[int, int]]:
        """Return the squares for data in their order: pairs of columns, up and down in turn."""
        upward = True
        for right in (*range(self.size - 1, _TIMING, -2), *range(_TIMING - 1, 0, -2)):
            rows = range(self.size - 1, -1, -1) if upward else range(self.size)
            upward = not upward
            for y in rows:
                for x in (right, right - 1):
                    if not self.fixed[y][x]:
                        yield x, y


def _checked(value: int, polynomial: int, size: int) -> int:
    """Return the bits that let a reader correct a value of the format or version."""
    rest = value << size
    top = polynomial.bit_length()
    while rest.bit_length() >= top:
        rest ^= polynomial << (rest.bit_length() - top)
    return rest


def _drawn(version: int, words: bytes, mask: int) -> Matrix:
    canvas = _Canvas(version)
    canvas.draw_patterns()
    bits = (word >> i & 1 for word in words for i in range(7, -1, -1))
    for x, y in canvas.free():
        canvas.dark[y][x] = bool(next(bits, 0)) != _is_masked(mask, x, y)
    canvas.draw_format(mask)
    return canvas.dark


def _is_masked(mask: int, x: int, y: int) -> bool:
    rules = (
        (x + y) % 2,
        y % 2,
        x % 3,
        (x + y) % 3,
        (x // 3 + y // 2) % 2,
        x * y % 2 + x * y % 3,
        (x * y % 2 + x * y % 3) % 2,
        ((x + y) % 2 + x * y % 3) % 2,
    )
    return rules[mask] == 0


def _penalty(matrix: Matrix) -> int:
    """Return how hard a drawing is to read; the mask with the least is taken."""
    columns = [list(column) for column in zip(*matrix, strict=True)]
    lines = [*map(list, matrix), *columns]
    penalty = sum(_run_penalty(line) for line in lines)
    for upper, lower in itertools.pairwise(matrix):
        for x in range(len(upper) - 1):
            penalty += 3 * (upper[x] == upper[x + 1] == lower[x] == lower[x + 1])
    share = sum(map(sum, matrix)) * 100 // len(matrix) ** 2
    return penalty + 10 * (abs(share - 50) // 5)


def _run_penalty(line: Sequence[bool]) -> int:
    penalty, run = 0, 1
    for before, after in zip(line, [*line[1:], None], strict=True):
        if before == after:
            run += 1
            continue
        penalty += run - 2 if run >= 5 else 0  # noqa: PLR2004 - five alike are a run
        run = 1
    width = len(_LOOKS_LIKE_FINDER[0])
    for start in range(len(line) - width + 1):
        penalty += 40 * (tuple(line[start : start + width]) in _LOOKS_LIKE_FINDER)
    return penalty
