"""Every metric by name, and the registry that they are printed from."""

from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from signalfleet.observability.distribution import Distribution

M = TypeVar("M", bound=MetricWrapperBase)

COUNTERS: Final[dict[str, tuple[str, Sequence[str]]]] = {
    "signalfleet_signals_total": ("Messages by end state.", ("outcome", "reason")),
    "signalfleet_intents_total": ("Intents by end state.", ("lane", "action", "state")),
    "signalfleet_duplicate_deliveries_total": ("Deliveries of known content.", ()),
    "signalfleet_contradictions_total": ("Events that must not happen.", ("kind",)),
    "signalfleet_duplicate_fills_total": ("Orders found that a leg should not have.", ()),
    "signalfleet_levels_undone_total": ("Stops and targets that a late order took back.", ()),
    "signalfleet_gate_refused_total": ("Orders held back by the last check.", ("rule",)),
    "signalfleet_clock_alerts_total": ("Times our clock was found to be wrong.", ()),
    "signalfleet_unknown_alarms_total": ("Orders unknown for longer than is allowed.", ()),
    "signalfleet_broker_rejections_total": ("Requests the broker refused.", ("code",)),
    "signalfleet_broker_not_sent_total": ("Requests that never left.", ("reason",)),
    "signalfleet_messages_quarantined_total": ("Messages that broke the reading.", ()),
    "signalfleet_parse_drift_total": ("Channels that changed how they write.", ()),
    "signalfleet_bot_starts_total": ("Bots that began to read.", ()),
    "signalfleet_bot_crashes_total": ("Bots that ended by an unexpected error.", ()),
    "signalfleet_bot_recycles_total": ("Bots that used too much and began anew.", ("reason",)),
    "signalfleet_metaapi_responses_total": ("Answers of MetaApi.", ("region", "code")),
    "signalfleet_metaapi_account_circuits_total": ("Accounts left in peace.", ("region",)),
    "signalfleet_telegram_reconnects_total": ("Connections that came up.", ("reason",)),
    "signalfleet_telegram_gap_repairs_total": ("Chats read again after a gap.", ("reason",)),
    "signalfleet_telegram_flood_waits_total": ("Waits that Telegram asked for.", ("reason",)),
    "signalfleet_telegram_sessions_lost_total": ("Sessions that ended for good.", ("reason",)),
    "signalfleet_telegram_repaired_messages_total": ("Messages found by repair.", ("kind",)),
    "signalfleet_telegram_updates_total": ("Updates received.", ("kept",)),
    "signalfleet_telegram_queue_overflow_total": ("Updates left to repair.", ()),
    "signalfleet_telegram_chat_notices_total": ("What users must know of chats.", ("kind",)),
    "signalfleet_telegram_forbidden_requests_total": ("Requests outside the list.", ()),
    "signalfleet_key_unwraps_total": ("Uses of data keys by outcome.", ("outcome",)),
    "signalfleet_telegram_sign_ins_total": ("Sign-ins that ended.", ("method", "outcome")),
    "signalfleet_rate_limited_total": ("Requests answered with 429.", ("kind",)),
    "signalfleet_notice_deliveries_total": ("Notices handed over.", ("kind", "outcome")),
    "signalfleet_notices_given_up_total": ("Notices that never left.", ("kind",)),
    "signalfleet_store_away_total": ("Times that a bot found the store away.", ()),
    "signalfleet_emergency_entries_total": ("Changes that only the emergency file had.", ()),
    "signalfleet_lease_losses_total": ("Times that slots were dropped for a lost lease.", ()),
    "signalfleet_emergency_refused_total": ("Emergency files that the store refused.", ()),
}
GAUGES: Final[dict[str, tuple[str, Sequence[str]]]] = {
    "signalfleet_active_bots": ("Bots that run now.", ()),
    "signalfleet_bot_capacity": ("Bots that this process may run.", ()),
    "signalfleet_bots": ("Bots by state.", ("state",)),
    "signalfleet_bots_waiting": ("Bots that are wished for and wait for a place.", ()),
    "signalfleet_lease_seconds_left": ("Time until no order may leave, unless renewed.", ()),
    "signalfleet_slots": ("Slots held, missing here, or without room anywhere.", ("state",)),
    "signalfleet_capacity_exhausted": ("1 while the fleet lacks room or headroom.", ()),
    "signalfleet_order_unknown_age_seconds": ("Age of the oldest unknown order.", ()),
    "signalfleet_metaapi_credits_available_ratio": ("Share of credits left.", ("region",)),
    "signalfleet_metaapi_circuit": ("1 while entries to a region are stopped.", ("region",)),
    "signalfleet_rate_limit_fallback_active": ("Limits count for this process alone.", ()),
    "signalfleet_messenger_away": ("1 while a messenger takes nothing.", ("kind",)),
    "signalfleet_cache_fallback_active": ("The shared cache does not answer.", ()),
}
HISTOGRAMS: Final[dict[str, tuple[str, Sequence[str]]]] = {
    "signalfleet_metaapi_request_seconds": ("Time of a call to MetaApi.", ("kind",)),
    "signalfleet_takeover_seconds": ("From a worker's last sign to its slots' new owner.", ()),
    "signalfleet_telegram_connect_wait_seconds": ("Time in the queue to connect.", ()),
    "signalfleet_telegram_repair_seconds": ("Time to read chats again.", ()),
    "signalfleet_loop_lag_seconds": ("How late the loop is for what is due.", ()),
}
DISTRIBUTIONS: Final[dict[str, tuple[str, Sequence[float]]]] = {
    "signalfleet_bot_cpu_ratio": (
        "Share of a core that each running bot uses.",
        (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1),
    ),
    "signalfleet_bot_memory_bytes": (
        "Memory that hangs on each running bot.",
        tuple(1024 * 2**power for power in range(5, 18)),
    ),
}
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60)


class _Family(Generic[M]):
    """A metric with its labelled ones at hand: the library checks all labels at each question."""

    def __init__(self, metric: M) -> None:
        self._metric = metric
        self._labelled: dict[tuple[str, ...], M] = {}

    def of(self, labels: Mapping[str, str]) -> M:
        if not labels:
            return self._metric
        key = (*labels, *labels.values())
        found = self._labelled.get(key)
        if found is None:
            found = self._labelled[key] = self._metric.labels(**labels)
        return found


class PrometheusMetrics:
    """Implements ports.metrics; a name that is not in the catalogue is a programming error."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters = {
            name: _Family(Counter(name, text, labels, registry=self._registry))
            for name, (text, labels) in COUNTERS.items()
        }
        self._gauges = {
            name: _Family(Gauge(name, text, labels, registry=self._registry))
            for name, (text, labels) in GAUGES.items()
        }
        self._histograms = {
            name: _Family(Histogram(name, text, labels, registry=self._registry, buckets=BUCKETS))
            for name, (text, labels) in HISTOGRAMS.items()
        }
        self._distributions = {
            name: Distribution(name, text, bounds) for name, (text, bounds) in DISTRIBUTIONS.items()
        }
        for distribution in self._distributions.values():
            self._registry.register(distribution)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self._counters[name].of(labels).inc(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self._gauges[name].of(labels).set(value)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        self._histograms[name].of(labels).observe(seconds)

    def distribution(self, name: str, values: Sequence[float]) -> None:
        self._distributions[name].show(values)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
