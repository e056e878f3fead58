"""One user's notices on their way out, on a memory store and virtual time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from kit.builders import USER
from kit.clock import LoopClock, MiddleChance
from kit.counting_metrics import CountingMetrics
from kit.fleet import PlainCredentials
from kit.scripted_messenger import ScriptedMessenger
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.memory.bus import MemoryBus
from signalfleet.app.daily_summary import DailySummary
from signalfleet.app.deliver_notices import DeliverNotices
from signalfleet.app.messenger_line import MessengerLine
from signalfleet.app.notice_targets import NoticeTargets
from signalfleet.bots.notice_courier import NoticeCourier
from signalfleet.domain.accounts.delivery import Numbered, TargetKind
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.domain.ids import UserId, slot
from signalfleet.ports.messenger import Message
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Store, UserProfile
from signalfleet.web.present.formats import Times
from signalfleet.web.present.outgoing import OutgoingWords

HOME = "https://fleet.example"
WORDS = OutgoingWords.english(HOME)


@dataclass(kw_only=True)
class NoticePost:
    clock: LoopClock = field(default_factory=LoopClock)
    store: MemoryStore = field(default_factory=lambda: MemoryStore(cell="c1"))
    bus: MemoryBus = field(default_factory=MemoryBus)
    metrics: CountingMetrics = field(default_factory=CountingMetrics)
    credentials: PlainCredentials = field(default_factory=PlainCredentials)
    messengers: dict[TargetKind, ScriptedMessenger] = field(
        default_factory=lambda: {kind: ScriptedMessenger(kind=kind) for kind in TargetKind}
    )
    timezone: str = "UTC"
    per_second: float = 20.0

    @property
    def telegram(self) -> ScriptedMessenger:
        return self.messengers[TargetKind.TELEGRAM]

    @property
    def targets(self) -> NoticeTargets:
        return NoticeTargets(self.store, self.credentials)

    async def begin(self, *kinds: TargetKind) -> None:
        profile = UserProfile(
            user_id=USER,
            telegram_id=1,
            display_name="Some",
            tier="FREE",
            timezone=self.timezone,
            slot=slot(USER),
        )
        await self.store.fleet.add_user(profile)
        for kind in kinds:
            await self.targets.link(USER, kind, Secret("me@example.org"), "me", self.clock.now())

    async def tell(self, kind: NoticeKind, about: str = "", **facts: object) -> None:
        notice = Notice(kind=kind, at=self.clock.now(), about=about, facts=facts)
        await self.store.user(USER).notices.add(notice, quiet=timedelta(0))

    def lines(self) -> dict[TargetKind, MessengerLine]:
        return {
            kind: MessengerLine(one, self.clock, self.metrics, per_second=self.per_second)
            for kind, one in self.messengers.items()
        }

    def deliver(self, store: Store | None = None) -> DeliverNotices:
        """Make the deliveries of a new process."""
        return DeliverNotices(
            store=store or self.store,
            bus=self.bus,
            clock=self.clock,
            chance=MiddleChance(),
            metrics=self.metrics,
            targets=self.targets,
            lines=self.lines(),
            write=self._write,
        )

    def courier(self) -> NoticeCourier:
        return NoticeCourier(
            cell="c1",
            store=self.store,
            clock=self.clock,
            owns=lambda _user: True,
            deliver=self.deliver(),
            summary=DailySummary(self.store, self.bus),
        )

    async def _write(self, user: UserId, rows: Sequence[Numbered], word: str) -> Message:
        times = Times(self.timezone, self.clock.now())
        return await WORDS.write(self.store.user(user), times, rows, word)
