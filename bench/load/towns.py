"""Both simulators of a load, started together and asked from here."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bench.load.pipe import Facts, Other, other
from bench.load.plan import SIGNALS_ONLY, LoadPlan, Mix, Posted
from signalfleet.bootstrap.city import City
from signalfleet.bootstrap.demo import DemoOptions, demo_settings
from signalfleet.bootstrap.settings import Settings

SPARE_S: Final = 60.0
OPENING: Final = "ORDER_TYPE_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An opening that the broker executed; times are seconds since 1970."""

    account: str
    symbol: str
    side: str
    stop: Decimal
    received_at: float
    executed_at: float

    @property
    def key(self) -> tuple[str, str, Decimal]:
        return (self.symbol, self.side, self.stop.normalize())


@dataclass(slots=True, kw_only=True)
class Towns:
    plan: LoadPlan
    telegram: Other
    broker: Other

    @property
    def people(self) -> Sequence[Facts]:
        """Return each user's Telegram account and chats, and the account and token at MetaApi."""
        return [
            person | {"metaapi_account": account, "metaapi_token": token}
            for person, (account, token) in zip(
                self.telegram.facts["people"], self.broker.facts["accounts"], strict=True
            )
        ]

    def settings(self, root: Path, **changed: Any) -> Settings:  # noqa: ANN401 - as the fields are
        """Return the product's settings that point it here; its files are under `root`."""
        return settings_for(self.facts, root, users=self.plan.users, **changed)

    @property
    def facts(self) -> Facts:
        """Return what the product needs to join."""
        names = ("telegram_dc", "telegram_address", "telegram_key_file")
        return {name: self.telegram.facts[name] for name in names} | {
            "metaapi_url": self.broker.facts["metaapi_url"],
            "control_token": self.broker.facts["control_token"],
            "pid": self.telegram.process.pid,
        }

    async def post(self, room: int | None = None) -> Posted:
        """Post one signal; without a room to everybody."""
        return Posted.load(await self.telegram.ask("post", room=room))

    async def play(self, rate: float, seconds: float, mix: Mix = SIGNALS_ONLY) -> list[Posted]:
        """Post `rate` messages a second for so long, from room to room; return what was posted."""
        answer = await self.telegram.ask(
            "play", rate=rate, seconds=seconds, mix=asdict(mix), limit_s=seconds + SPARE_S
        )
        return [Posted.load(one) for one in answer["posted"]]

    async def orders(self) -> list[Order]:
        """Return the openings that were executed since this was asked last."""
        found = (await self.broker.ask("orders"))["orders"]
        return [_order(one) for one in found if one["action"].startswith(OPENING)]

    async def executed(self) -> int:
        """Return how much the broker has executed so far."""
        return int((await self.broker.ask("stats"))["executed"])

    async def violations(self) -> list[str]:
        """Return what a careful client never does, and one of these did."""
        sides = (self.telegram, self.broker)
        return [one for side in sides for one in (await side.ask("stats"))["violations"]]


def settings_for(facts: Mapping[str, Any], root: Path, *, users: int, **changed: Any) -> Settings:  # noqa: ANN401 - as the fields are
    """Return the product's settings for the town with these facts; any process makes the same."""
    options = DemoOptions(root=root, port=0, look_interval_s=30.0)
    settings = demo_settings(options, City(facts=dict(facts)))
    mine = {"work_lane": "local", "max_bots_per_server": max(1000, users)}
    return settings.model_copy(update=mine | changed)


@asynccontextmanager
async def open_towns(plan: LoadPlan, run_dir: Path) -> AsyncIterator[Towns]:
    """Start both simulators; they end with the block."""
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # noqa: ASYNC240 - a local folder
    async with AsyncExitStack() as stack:
        log = stack.enter_context((run_dir / "towns.log").open("ab"))
        telegram = await stack.enter_async_context(
            other("bench.load.telegram_town", [plan.dump(), str(run_dir)], log=log)
        )
        broker = await stack.enter_async_context(
            other("bench.load.broker_town", [plan.dump()], log=log)
        )
        yield Towns(plan=plan, telegram=telegram, broker=broker)


def _order(one: Facts) -> Order:
    return Order(
        account=one["account"],
        symbol=one["symbol"],
        side=one["side"],
        stop=Decimal(str(one["stopLoss"])),
        received_at=one["receivedAt"],
        executed_at=one["executedAt"],
    )
