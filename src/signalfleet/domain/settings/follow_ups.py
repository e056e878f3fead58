"""What later messages, edits and deletions may do to open trades."""

from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.settings.choices import (
    DeletePolicy,
    EditPolicy,
    ExitPolicy,
    FollowUps,
    LateStop,
    OnDuplicate,
    OnFlip,
    WhenPaused,
)
from signalfleet.domain.settings.kinds import optional
from signalfleet.domain.settings.values import (
    ACCOUNT_OR_USER,
    CHANNEL_OR_USER,
    FLAG,
    choice,
    number,
    setting,
)


@dataclass(frozen=True, kw_only=True)
class FollowUpRules:
    follow_ups: FollowUps = setting(
        FollowUps.ALL,
        choice(FollowUps),
        "Which instructions of a channel are followed after the entry.",
        also_called=("auto-management",),
    )
    allow_wider_stop: bool = setting(
        False,
        FLAG,
        "Whether a channel may move a stop to where the trade can lose more.",
    )
    late_stop: LateStop = setting(
        LateStop.FLAG,
        choice(LateStop),
        "What is done about a new stop that the price has passed already: only tell you, or close "
        "the trade, if the level is near and the message has just come.",
    )
    follow_up_window: Decimal = setting(
        Decimal(12),
        number("0.1", "720"),
        "How old a signal may be for a later message that does not name it.",
        scopes=CHANNEL_OR_USER,
        unit="hours",
    )
    partial_default: Decimal | None = setting(
        None,
        optional(number("0.01", "0.99"), word="ask"),
        "The share that is closed when a channel says to close a part and not how much.",
        unit="share of the volume",
        also_called=("Half Close", "Partial Close"),
    )
    edit_policy: EditPolicy = setting(
        EditPolicy.AMEND,
        choice(EditPolicy),
        "What an edit of a signal does to its trades.",
    )
    delete_policy: DeletePolicy = setting(
        DeletePolicy.CANCEL_PENDING,
        choice(DeletePolicy),
        "What happens when a channel deletes a signal: nothing; its orders that wait are "
        "cancelled; besides, its open trades go to break-even, are closed, or you are asked.",
    )
    entry_on_edit: bool = setting(
        True,
        FLAG,
        "Whether an edit may bring a first entry, where the message led to none before.",
    )
    on_flip: OnFlip = setting(
        OnFlip.NOTIFY,
        choice(OnFlip),
        "What happens when an edit turns a signal round: only tell you, or close its trades.",
    )
    on_duplicate: OnDuplicate = setting(
        OnDuplicate.CLOSE_LATER,
        choice(OnDuplicate),
        "What happens when a second position of one leg is found at the broker: close the "
        "younger one, or only tell you.",
        scopes=ACCOUNT_OR_USER,
    )
    when_paused: WhenPaused = setting(
        WhenPaused.PROTECT,
        choice(WhenPaused),
        "What messages about open trades still do while copying is paused: protect, which closes, "
        "cancels and tightens stops, or nothing. What is not done waits for your tap.",
        also_called=("Disable Copy", "pause mode"),
    )
    exit_policy: ExitPolicy = setting(
        ExitPolicy.CLOSE_ONLY,
        choice(ExitPolicy),
        "What becomes of open trades when you sign out of Telegram, take a channel or an account "
        "away, delete your account, or your plan ends: they are managed to their end; are left "
        "with stop and target; go to break-even; are closed where they are in profit; or are all "
        "closed. All but the first cancel the orders that wait.",
        scopes=ACCOUNT_OR_USER,
        also_called=("Close on disconnect", "Close All on Stop", "unfollow action", "copyStopped"),
    )
