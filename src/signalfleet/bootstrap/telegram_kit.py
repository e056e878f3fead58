"""Everything that connects to Telegram, made from one set of settings and through one gate."""

from dataclasses import dataclass, field

from signalfleet.adapters.telegram.directory import TelethonChatDirectory
from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.host_pace import HostPace
from signalfleet.adapters.telegram.login import TelethonSignIn
from signalfleet.adapters.telegram.reader import TelethonChatSource
from signalfleet.adapters.telegram.sessions import TelethonSessions
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.telegram import telegram_settings
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramKit:
    """Makes the adapter's parts; all of a process share the pace of one gate."""

    clock: Clock
    chance: Chance
    metrics: Metrics
    telegram: TelegramSettings
    gate: ConnectGate = field(repr=False)

    @classmethod
    def of(
        cls, settings: Settings, clock: Clock, chance: Chance, metrics: Metrics
    ) -> "TelegramKit":
        """Make the kit; ConfigurationError without an application id."""
        gate = ConnectGate(
            clock,
            connects_per_s=settings.telegram_connects_per_s,
            shared=HostPace(settings.run_dir / "telegram-connects"),
        )
        return cls(
            clock=clock,
            chance=chance,
            metrics=metrics,
            telegram=telegram_settings(settings),
            gate=gate,
        )

    def source(self, session: Secret) -> TelethonChatSource:
        return TelethonChatSource(
            session,
            self.telegram,
            clock=self.clock,
            chance=self.chance,
            metrics=self.metrics,
            gate=self.gate,
        )

    def sign_in(self) -> TelethonSignIn:
        return TelethonSignIn(
            self.telegram,
            clock=self.clock,
            chance=self.chance,
            metrics=self.metrics,
            gate=self.gate,
        )

    def sessions(self) -> TelethonSessions:
        return TelethonSessions(
            self.telegram,
            clock=self.clock,
            chance=self.chance,
            metrics=self.metrics,
            gate=self.gate,
        )

    def directory(self, session: Secret) -> TelethonChatDirectory:
        return TelethonChatDirectory(
            session,
            self.telegram,
            clock=self.clock,
            chance=self.chance,
            metrics=self.metrics,
            gate=self.gate,
        )
