"""What the settings allow one bot, and the process that runs them."""

from signalfleet.bootstrap.settings import Settings
from signalfleet.bots.budgets import Budgets
from signalfleet.bots.process_memory import ProcessMemory
from signalfleet.domain.accounts.budgets import BotLimits
from signalfleet.ports.clock import Clock
from signalfleet.ports.metrics import Metrics


def budgets_of(
    settings: Settings, clock: Clock, metrics: Metrics, *, processes: int = 1
) -> Budgets:
    """Make the budgets of a worker; `processes` share what memory the machine gives."""
    limits = BotLimits(
        cpu_percent=settings.max_cpu_per_bot_percent,
        memory_bytes=settings.max_memory_per_bot_mb * 2**20,
    )
    memory = ProcessMemory.of_this_process(settings.max_memory_per_process_mb, processes)
    return Budgets(clock, metrics, limits, memory=memory)
