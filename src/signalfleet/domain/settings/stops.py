"""What is asked of stops and targets."""

from dataclasses import dataclass

from signalfleet.domain.settings.choices import StopsTooClose
from signalfleet.domain.settings.values import choice, setting


@dataclass(frozen=True, kw_only=True)
class StopRules:
    stops_too_close: StopsTooClose = setting(
        StopsTooClose.REFUSE,
        choice(StopsTooClose),
        "What happens when the stop is nearer to the price than your broker takes: refuse the "
        "signal, or widen the stop and make the trade smaller.",
    )
