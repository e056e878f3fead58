"""Numbers of the bus, with their reasons."""

from typing import Final

MIN_SERVER: Final = (2, 14)
"""Older servers lost acknowledged writes or whole streams."""

START_S: Final = 10.0
STOP_S: Final = 15.0
"""A server with 512 consumers needs 5.4 s to end well: killing it earlier is a bug."""
RESTART_DELAYS_S: Final = (0.2, 1.0, 5.0)
STEADY_S: Final = 60.0
"""A child that lived this long starts the delays from the first again."""
POLL_S: Final = 0.005
LOG_TAIL_CHARS: Final = 2_000

CONNECT_S: Final = 10.0
RECONNECT_WAIT_S: Final = 0.2
REQUEST_S: Final = 5.0
CLOSE_S: Final = 2.0
RETRY_S: Final = 0.2

STREAM: Final = "SF_WORK"
WORK_PREFIX: Final = "sf.work"
EVENT_PREFIX: Final = "sf.evt"
ASK_PREFIX: Final = "sf.rpc"
ASK_GROUP: Final = "answer"
"""All who serve one address share its questions."""
ANSWERS_AT_ONCE: Final = 64
STREAM_MAX_AGE_S: Final = 6 * 3600
STREAM_MAX_BYTES: Final = 1024**3
STREAM_MAX_MESSAGE: Final = 64 * 1024
STREAM_MAX_CONSUMERS: Final = 1024
"""Said aloud: servers since 2.15 stop at 1000 on their own, and -1 does not lift it."""
DUPLICATE_WINDOW_S: Final = 120

ACK_WAIT_S: Final = 60
MAX_ACK_PENDING: Final = 256
PULL_BATCH: Final = 8
PULL_EXPIRES_S: Final = 300
HEARTBEAT_S: Final = 60
"""Two of these without a word mean that the server has forgotten the pull request.

It says so itself when it comes back or drops a consumer, and whoever reads from here looks into the
store every few seconds: the silence is the last sign, and 512 slots that beat cost a core's time.
"""

WORK_BYTES: Final = 1024
EVENT_BYTES: Final = 8 * 1024
EVENT_QUEUE: Final = 256

REGISTER_HISTORY: Final = {"lease": 1, "plan": 3, "ctl": 5}
"""The first word of a register's name says in which bucket it is; so many values are kept."""
REGISTER_BYTES: Final = 64 * 1024
REGISTER_REQUEST_S: Final = 2.0
DELETED_FOR_S: Final = 3600
"""The mark of a deleted register goes after this time, else each life of a worker left one."""
WATCH_HEARTBEAT_S: Final = 1.0
WATCH_SILENCE_S: Final = 3.0
"""Without a word for so long the watch is gone, with the server that kept it."""
WATCH_FORGOTTEN_S: Final = 30

WRONG_REVISION: Final = (10071, 10164)
"""Server codes: the last message of this subject has another number than was named."""
NO_STREAM_CHANGE: Final = 10058
"""Server code: a stream of that name exists with another configuration."""
CONSUMER_OVERLAP: Final = 10100
"""Server code: another consumer of a work queue filters the same subjects."""
