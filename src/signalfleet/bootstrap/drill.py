"""Crash points for failure drills: the process kills itself at a chosen step.

`SIGNALFLEET_DRILL_CRASH=journal.decide:after:3` kills with SIGKILL after the third decision was
stored. Points exist before and after each call of the journal, the inbox and the broker. Without
the variable nothing is wrapped.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from signalfleet.bootstrap.settings import ConfigurationError
from signalfleet.bots.services import BotServices
from signalfleet.domain.ids import UserId
from signalfleet.ports.broker import Broker
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account, Store, UserStore

VARIABLE: Final = "SIGNALFLEET_DRILL_CRASH"


@dataclass(slots=True)
class CrashPlan:
    """Counts how often the chosen point is passed and dies at its turn."""

    point: str
    turn: int
    _passed: int = field(default=0)

    @classmethod
    def parse(cls, text: str) -> "CrashPlan":
        point, _, turn = text.rpartition(":")
        if not point or not turn.isdigit():
            raise ConfigurationError(f"{VARIABLE} must look like journal.decide:after:3")
        return cls(point=point, turn=int(turn))

    def passed(self, point: str) -> None:
        if point != self.point:
            return
        self._passed += 1
        if self._passed == self.turn:
            os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """Forwards everything and passes two points at each asynchronous call."""

    def __init__(self, name: str, target: object, plan: CrashPlan) -> None:
        self._name = name
        self._target = target
        self._plan = plan

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 - a proxy of any port
        value = getattr(self._target, attribute)
        if not callable(value):
            return value
        return self._call(attribute, value)

    def _call(
        self, attribute: str, method: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        async def call(*args: object, **kwargs: object) -> object:
            self._plan.passed(f"{self._name}.{attribute}:before")
            result = await method(*args, **kwargs)
            self._plan.passed(f"{self._name}.{attribute}:after")
            return result

        return call


class _WatchedStore:
    def __init__(self, store: Store, plan: CrashPlan) -> None:
        self._store = store
        self._plan = plan

    def user(self, user_id: Any) -> UserStore:  # noqa: ANN401 - forwarded as it is
        return _WatchedUserStore(self._store.user(user_id), self._plan)

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 - a proxy of any port
        return getattr(self._store, attribute)


class _WatchedUserStore:
    def __init__(self, store: UserStore, plan: CrashPlan) -> None:
        self._store = store
        self.journal = Watched("journal", store.journal, plan)
        self.inbox = Watched("inbox", store.inbox, plan)

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 - a proxy of any port
        return getattr(self._store, attribute)


def with_crash_points(services: BotServices, *, is_production: bool) -> BotServices:
    """Wrap the ports of a worker if a drill asks for it; in production it must not be asked for."""
    text = os.environ.get(VARIABLE)  # noqa: TID251 - never a setting of the product
    if not text:
        return services
    if is_production:
        raise ConfigurationError(
            f"{VARIABLE} makes the process kill itself; it is for drills, remove it in production"
        )
    plan = CrashPlan.parse(text)
    make_broker = services.make_broker

    def make_watched(user: UserId, account: Account, token: Secret | None) -> Broker:
        return Watched("broker", make_broker(user, account, token), plan)

    store: Any = _WatchedStore(services.store, plan)
    return replace(services, store=store, make_broker=make_watched)
