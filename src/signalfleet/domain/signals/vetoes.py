"""Openings that are hidden from the reader or quoted from somebody else."""

import re
from typing import Final

from signalfleet.domain.signals.blocks import Block
from signalfleet.domain.signals.facts import MOOD_NAMES, UNKNOWN, Facts

_BLOCKS: Final = "*\u2588\u2593\u2592\u2591\u25a0\u25fc\u2b1b\u2b1c\u25a1"
_LOCKS: Final = "\U0001f512\U0001f510\U0001f50f\U0001f511\U0001f648"
_MASKS: Final = (
    rf"[{_LOCKS}]|(?:[{_BLOCKS}]{{3,}}|_{{3,}}|-{{3,}}|x{{3,}}(?![a-z]))(?![\s{_BLOCKS}_x:-]*\d)"
    r"|(?:only (?:for |in )?)?(?:vip|premium)(?![a-z])"
)
_HAS_MASK: Final = re.compile(_MASKS)
_HAS_SIGN: Final = re.compile(rf"[{_BLOCKS}{_LOCKS}]")
_WORDS: Final = ("___", "---", "xxx", "vip", "premium")
"""One of these signs or words stands in every text that the pattern finds: seen much quicker."""
_COVERED: Final = re.compile(rf"[\s:=@>|(\[]{{0,12}}(?:{_MASKS})")
LACKS: Final = {"stop": "stops", "target": "targets", "entry": "entries", "at": "entries"}


def is_masked(facts: Facts, blocks: list[Block]) -> bool:
    """Tell whether a level that a block lacks is covered: "SL: ****", "TP: (a lock)"."""
    for block in blocks:
        if not (block.stops and block.targets and block.entries):
            break
    else:
        return False
    folded = facts.folded
    if not any(word in folded for word in _WORDS) and _HAS_SIGN.search(folded) is None:
        return False
    if _HAS_MASK.search(folded) is None:
        return False
    for item in facts.items:
        lacking = LACKS.get(item.role)
        if lacking is None or _COVERED.match(folded, item.end) is None:
            continue
        if any(not getattr(block, lacking) for block in blocks):
            return True
    return False


def is_quoted(facts: Facts, block: Block) -> bool:
    """Tell whether a whole idea stands in quotation marks and somebody speaks about it."""
    folded = facts.folded
    side = block.side_item
    if side is None or folded.count('"', 0, side.start) % 2 == 0:
        return False
    start, end = folded.rfind('"', 0, side.start), folded.find('"', side.end)
    has_level = any(side.end <= item.start < end for item in facts.numbers)
    return has_level and any(
        (item.role == UNKNOWN or item.role in MOOD_NAMES) and not start < item.start < end
        for item in facts.items
    )
