"""What later messages, edits and deletions may do to open trades."""

from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.settings.choices import (
    DeletePolicy,
    EditPolicy,
    FollowUps,
    OnDuplicate,
)
from signalfleet.domain.settings.values import ACCOUNT_OR_USER, FLAG, choice, number, setting


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
    partial_default: Decimal = setting(
        Decimal("0.5"),
        number("0.01", "0.99"),
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
        "What happens when a channel deletes a signal.",
    )
    on_duplicate: OnDuplicate = setting(
        OnDuplicate.CLOSE_LATER,
        choice(OnDuplicate),
        "What happens when a second position of one leg is found at the broker: close the "
        "younger one, or only tell you.",
        scopes=ACCOUNT_OR_USER,
    )
