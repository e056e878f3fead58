"""What a script consists of: posts made from the present price, edits, deletions, price moves."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """The trade behind a post. Distances are in price, from the price when it is posted.

    `ahead` moves the stated entry away from the price in the trade's favour (pending orders);
    `zone` is the width of an entry zone beyond the entry.
    """

    symbol: str
    side: str
    stop: Decimal
    targets: tuple[Decimal, ...]
    ahead: Decimal = Decimal(0)
    zone: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Post a text.

    It may hold placeholders of its idea, or of the idea of the post named by `of`: {e} {e2} {sl}
    {tp1}... and {be} for the entry.
    """

    at: float
    name: str
    channel: str
    text: str
    idea: Idea | None = None
    of: str | None = None
    reply_to: str | None = None
    forwarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace a post's text; {text} is the text that it had."""

    at: float
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    at: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Bring the symbol of a post's idea to a share of the way to its first target.

    1 is just past the target, -1 just past the stop, 0 the entry.
    """

    at: float
    name: str
    share: Decimal
    within: float


Beat = Post | Edit | Delete | Move


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Channels by short name with their titles, and beats in order of time (seconds)."""

    channels: dict[str, str]
    beats: tuple[Beat, ...] = field(default=())
