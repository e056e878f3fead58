"""How a server behaves where the protocol leaves it free; a client must bear all of it."""

from dataclasses import dataclass

from signalfleet_sim.telegram.codec import GZIP_OVER_BYTES

PAGE = 100


@dataclass(slots=True)
class Habits:
    """The defaults are the plainest server; `other()` is one that does everything differently.

    `salt_every`, `greet_every`: after so many messages of a connection the salt changes, or the
    server says new_session_created again. `late_s`: answers take up to so long, each by chance,
    and so overtake each other. `page_max`: a page of history is never longer.
    """

    gzip_over_bytes: int = GZIP_OVER_BYTES
    gzip_updates: bool = False
    in_containers: bool = False
    salt_every: int = 0
    greet_every: int = 0
    late_s: float = 0.0
    page_max: int = PAGE
    min_id_is_empty: bool = False
    min_chats: bool = False
    dialogs_backwards: bool = False
    dialogs_without_pts: bool = False

    @classmethod
    def other(cls) -> "Habits":
        """Return every habit at once."""
        return cls(
            gzip_over_bytes=0,
            gzip_updates=True,
            in_containers=True,
            salt_every=7,
            greet_every=5,
            late_s=0.03,
            page_max=17,
            min_id_is_empty=True,
            min_chats=True,
            dialogs_backwards=True,
            dialogs_without_pts=True,
        )
