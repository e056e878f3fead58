"""Every user setting by its name, and the rules that a set of values makes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

from signalfleet.domain.settings.calendar import CalendarRules
from signalfleet.domain.settings.entries import EntryRules
from signalfleet.domain.settings.filters import FilterRules
from signalfleet.domain.settings.follow_ups import FollowUpRules
from signalfleet.domain.settings.guards import GuardRules
from signalfleet.domain.settings.losses import LossRules
from signalfleet.domain.settings.probation import ProbationRules
from signalfleet.domain.settings.protection import ProtectionRules
from signalfleet.domain.settings.sizing import SizingRules
from signalfleet.domain.settings.stops import StopRules
from signalfleet.domain.settings.values import SPEC, Spec


@dataclass(frozen=True, kw_only=True)
class Rules(
    SizingRules,
    StopRules,
    EntryRules,
    ProtectionRules,
    FollowUpRules,
    GuardRules,
    LossRules,
    FilterRules,
    CalendarRules,
    ProbationRules,
):
    """The values in force for one signal on one account."""


DEFAULTS: Final = Rules()
GROUPS: Final[Mapping[str, type]] = MappingProxyType(
    {
        "Size": SizingRules,
        "Stops and targets": StopRules,
        "Entries": EntryRules,
        "Protection": ProtectionRules,
        "Follow-ups": FollowUpRules,
        "Guards": GuardRules,
        "Loss limits": LossRules,
        "Filters": FilterRules,
        "Hours and news": CalendarRules,
        "Probation": ProbationRules,
    }
)
CATALOGUE: Final[Mapping[str, Spec]] = MappingProxyType(
    {field.name: field.metadata[SPEC] for group in GROUPS.values() for field in fields(group)}
)
