"""Telegram's limits and this adapter's pace, as numbers with their source."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

MESSAGE_LENGTH_MAX: Final = 4096  # help.getConfig: message_length_max
PAGE: Final = 100  # messages.getHistory, channels.getMessages and getDialogs answer no more.
UNREADABLE_MAX: Final = 20  # Ours: messages passed over in one reading, seven requests the first.
CLOCK_PROBES: Final = 5  # The offset is the median of so many answers, which have whole seconds.
MISSED_MAX: Final = 500  # Ours: posts that are read after a gap; older ones are of no use.
FEW_POSTS: Final = 20  # Ours: so many missed posts are read though the bot takes in no more.
PUT_OFF_LEAST_S: Final = 3.0  # Ours: each look whether it may be read by now is a request.
PAGES_MAX: Final = 100  # Ours: requests for that; five are enough where pages are full.
DIALOG_PAGES_MAX: Final = 50  # Ours: 5,000 dialogs; Telegram has no published bound.
PEERS_MAX: Final = 100  # messages.getPeerDialogs; core.telegram.org/method/messages.getPeerDialogs
AUTH_KEY_BYTES: Final = 256  # core.telegram.org/mtproto/auth_key: a 2048-bit number
SERVICE_ACCOUNTS: Final = frozenset({777000, 489000})  # Login and verification codes arrive here.

TRACKED_MAX: Final = 200
REMOVED_MAX: Final = 1000  # Deletions already told, so that a repeat stays silent.
TRACKED_FOR: Final = timedelta(hours=48)
REPAIR_ROUNDS_MAX: Final = 3
LOST_AFTER: Final = 3  # Failures of one chat within LOST_WITHIN: the breaker opens.
LOST_WITHIN: Final = timedelta(minutes=10)
GONE_RETRY: Final = timedelta(seconds=60)
LOST_RETRY: Final = timedelta(hours=1)
KEY_UNKNOWN_TRIES: Final = 3  # Transport error -404 may be passing; three in the window are not.
KEY_UNKNOWN_WITHIN: Final = timedelta(minutes=10)
FLOOD_MARGIN: Final = 1.1  # Wait a little longer than asked, or the next answer is a longer wait.
FLOOD_SHOWN_FROM_S: Final = 60
FROZEN_RETRY_S: Final = 86_400

QR_TOKENS_MAX: Final = 6  # Ours: after two and a half minutes nobody is there any more.
CODE_TRIES: Final = 5
PASSWORD_TRIES: Final = 3

CONNECTS_PER_S: Final = 8.0  # A server; -429 means too many connections from one address.
BURST_S: Final = 0.25  # So much of the pace may go at once; a quiet hour saves up no more.
BACKOFF_MAX_S: Final = 300.0
REFUSED_BACKOFF_MAX_S: Final = 30.0  # Nobody answers: found again soon after it is back.
EGRESS_WINDOW_S: Final = 30.0
EGRESS_LEAST: Final = 10  # Fewer connects say nothing of the address they come from.
EGRESS_FAILED_SHARE: Final = 0.2
EGRESS_PAUSE_S: Final = 60.0
EGRESS_PAUSE_MAX_S: Final = 900.0
EGRESS_PROBE_S: Final = 10.0  # In a pause one connect may look whether it is over.
SHORT_LIFE_S: Final = 30.0  # A connection that ends sooner counts as a failed one.
LONG_LIFE_S: Final = 60.0  # A connection that lived longer pays for the failures before it.
TCP_USER_TIMEOUT_MS: Final = 20_000
TCP_CONNECT_S: Final = 10
QUEUE_MAX: Final = 256
WAITING_MAX: Final = 256
PACED_AT_ONCE: Final = 10  # Posts that waited are stored together: others wait for each commit.
PACKETS_PER_S: Final = 100.0  # Ours: decoding one takes a third of a millisecond of the loop.
PACKETS_BURST: Final = 1000.0
UPDATES_MAX: Final = 1000  # Ours: what waits in the library before it is told apart by chat.
ENTITIES_MAX: Final = 500
CHANGE_BYTES: Final = 2_000  # What a queued change usually holds, with a text of 300 letters.
UPDATE_BYTES: Final = 4_000
ENTITY_BYTES: Final = 262
NUMBER_BYTES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often and how long; the defaults are for Telegram, tests and drills may hurry."""

    ping_every: timedelta = timedelta(seconds=34)
    ping_limit_s: float = 10.0
    sweep_every: timedelta = timedelta(seconds=90)
    sweep_jitter: float = 0.3
    sweep_settle: timedelta = timedelta(seconds=2)
    compare_every: timedelta = timedelta(minutes=10)
    requests_per_s: float = 2.0
    requests_burst: int = 8
    request_limit_s: float = 15.0
    start_limit_s: float = 20.0
    follow_up_wait_s: float = 5.0
    close_limit_s: float = 2.0
    silence_s: float = 900.0  # core.telegram.org/api/updates: fetch after 15 min without any.
    silence_max_s: float = 14_400.0
    qr_renew_s: float = 25.0  # core.telegram.org/api/qr-login: a token lives about 30 s.


RECONNECTS: Final = "signalfleet_telegram_reconnects_total"
GAP_REPAIRS: Final = "signalfleet_telegram_gap_repairs_total"
FLOOD_WAITS: Final = "signalfleet_telegram_flood_waits_total"
SESSIONS_LOST: Final = "signalfleet_telegram_sessions_lost_total"
CONNECT_WAIT: Final = "signalfleet_telegram_connect_wait_seconds"
REPAIR_TIME: Final = "signalfleet_telegram_repair_seconds"
REPAIRED_MESSAGES: Final = "signalfleet_telegram_repaired_messages_total"
UPDATES: Final = "signalfleet_telegram_updates_total"
QUEUE_OVERFLOWS: Final = "signalfleet_telegram_queue_overflow_total"
FORBIDDEN_REQUESTS: Final = "signalfleet_telegram_forbidden_requests_total"
CHAT_NOTICES: Final = "signalfleet_telegram_chat_notices_total"
SIGN_INS: Final = "signalfleet_telegram_sign_ins_total"

METRICS: Final[dict[str, tuple[str, ...]]] = {
    RECONNECTS: ("reason",),  # first, transport, ping, silence, closed
    GAP_REPAIRS: (
        "reason",
    ),  # connected, gap, difference, overflow, store, sweep, membership, moved
    FLOOD_WAITS: ("reason",),  # flood, frozen
    SESSIONS_LOST: ("reason",),  # revoked, unregistered, deactivated, auth_key_duplicated
    CONNECT_WAIT: (),
    REPAIR_TIME: (),
    REPAIRED_MESSAGES: ("kind",),  # posted, edited, deleted
    UPDATES: ("kept",),  # yes, no
    QUEUE_OVERFLOWS: (),
    FORBIDDEN_REQUESTS: (),
    SIGN_INS: ("method", "outcome"),  # qr, code; signed_in, refused
}
"""What this adapter counts, with the labels it gives; their values are in the comments."""
