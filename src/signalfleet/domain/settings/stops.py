"""What is asked of stops and targets."""

from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.settings.choices import (
    FewLotsOrder,
    LevelSource,
    NoStop,
    OpenTarget,
    StopsTooClose,
)
from signalfleet.domain.settings.distances import Distance, Unit
from signalfleet.domain.settings.kinds import (
    FEW_LOTS,
    OPEN_TARGET,
    TARGET_WEIGHTS,
    TARGETS_USED,
    FewLots,
    distance,
    distances,
    limits,
    optional,
)
from signalfleet.domain.settings.values import Merge, choice, number, setting


@dataclass(frozen=True, kw_only=True)
class StopRules:
    stop_source: LevelSource = setting(
        LevelSource.PROVIDER,
        choice(LevelSource),
        "Whose stop is used: the signal's, yours, or yours when the signal has none.",
        also_called=("Use Provider SL", "WhenNotRecognized", "Stop Mode", "copy_sl"),
    )
    no_stop: NoStop = setting(
        NoStop.WAIT,
        choice(NoStop),
        "What happens to a signal without a stop: refuse it, wait two minutes for the message "
        "that brings the stop, use your custom stop at once, or trade without one.",
        also_called=(
            "Trade without SL",
            "Skip Signals Without Stop-Loss",
            "Do not open trades without SL",
            "naked calls",
        ),
    )
    custom_stop: Distance | None = setting(
        None,
        optional(distance(Unit.PIPS, Unit.POINTS, Unit.PERCENT)),
        "Your own stop, as a distance from the entry.",
        also_called=("fixed SL", "Custom SL"),
    )
    stop_padding: Decimal = setting(
        Decimal(0),
        number("0", "1000"),
        "How much farther away than the signal says its stop is set; the size follows.",
        unit="pips",
        also_called=("SL refinement", "master distance"),
    )
    min_stop_distance: frozenset[Distance] = setting(
        frozenset(),
        limits(Unit.PIPS, Unit.POINTS, Unit.PERCENT),
        "A stop nearer to the entry than this is refused; the limits of all levels hold.",
        merge=Merge.UNION,
        also_called=("minStopLoss",),
    )
    max_stop_distance: frozenset[Distance] = setting(
        frozenset(),
        limits(Unit.PIPS, Unit.POINTS, Unit.PERCENT),
        "A stop farther from the entry than this is refused; the limits of all levels hold.",
        merge=Merge.UNION,
        also_called=("maxStopLoss",),
    )
    stops_too_close: StopsTooClose = setting(
        StopsTooClose.REFUSE,
        choice(StopsTooClose),
        "What happens when the stop is nearer to the price than your broker takes: refuse the "
        "signal, or widen the stop and make the trade smaller.",
    )
    target_source: LevelSource = setting(
        LevelSource.PROVIDER,
        choice(LevelSource),
        "Whose targets are used: the signal's, yours, or yours when the signal has none.",
        also_called=("Use Provider TP", "copy_tp"),
    )
    custom_targets: tuple[Distance, ...] = setting(
        (),
        distances(Unit.R, Unit.PIPS, Unit.POINTS, Unit.PERCENT),
        "Your own targets, nearest first, as distances from the entry.",
        also_called=("fixed TP", "Custom TP", "Add Custom TP"),
    )
    targets_used: frozenset[int] = setting(
        frozenset(),
        TARGETS_USED,
        "Which of the targets are used.",
        also_called=("TPToCopy", "enabled TPs"),
    )
    target_weights: tuple[Decimal, ...] = setting(
        (),
        TARGET_WEIGHTS,
        "How the size is shared over the targets, first target first; a target beyond the list "
        "is not used.",
        unit="% of the size",
        also_called=("lot % per TP", "take_profit_steps", "close % TP1/2/3"),
    )
    open_target: OpenTarget | Distance = setting(
        OpenTarget.RUNNER,
        OPEN_TARGET,
        "What a target that is left open becomes: a part without a target, nothing, or a target "
        "at a multiple of the stop distance.",
        also_called=("TP open",),
    )
    few_lots: FewLots = setting(
        FewLots(order=FewLotsOrder.NEAREST_FIRST),
        FEW_LOTS,
        "Which targets are kept when the size is too small for all of them.",
    )
