"""How often who may ask for what: slowapi, by the class that each route has.

No middleware of slowapi and no default limits: neither reaches routes of included routers, and the
middleware breaks streams. Money limits are not here; the store counts those.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Final

import structlog
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from starlette.exceptions import HTTPException
from starlette.requests import Request

from signalfleet.domain.accounts.keys import user_key, visitor_key
from signalfleet.web.context import context_of
from signalfleet.web.deps import WebConfigError
from signalfleet.web.guards import SignedIn
from signalfleet.web.limit_settings import LimitSettings
from signalfleet.web.visitors import visitor_of

log = structlog.get_logger(__name__)

PAGES_A_CALL: Final = 4
PREFIX: Final = "sf"
ACTIVE: Final = "signalfleet_rate_limit_fallback_active"
LIMITED: Final = "signalfleet_rate_limited_total"
Guard = Callable[..., Awaitable[None]]


class LimitClass(StrEnum):
    """What one user (or one visitor who has not signed in) shares a limit for."""

    READ = "read"
    PAGE = "page"
    WRITE = "write"
    BOT_START = "bot_start"
    SIGN_IN = "sign_in"
    STREAM = "stream"
    CONNECT_MT5 = "connect_mt5"
    BACKTEST = "backtest"
    EXPORT = "export"
    HOOK = "hook"
    UNLIMITED = "unlimited"
    """For Stop and for closing, which must always work, and for files and probes."""


def limits_of(per_minute: int) -> Mapping[LimitClass, str]:
    """Return the limit of each class in slowapi's words."""
    return {
        LimitClass.READ: f"{per_minute}/minute",
        LimitClass.PAGE: f"{PAGES_A_CALL * per_minute}/minute",
        LimitClass.WRITE: "30/minute",
        LimitClass.BOT_START: "5/minute",
        LimitClass.SIGN_IN: "10/minute",
        LimitClass.STREAM: "20/minute",
        LimitClass.CONNECT_MT5: "3/hour",
        LimitClass.BACKTEST: "6/hour",
        LimitClass.EXPORT: "3/hour;10/day",
        LimitClass.HOOK: "60/minute",
    }


class Limits:
    """The limiter of one application, and whether its shared storage answers."""

    def __init__(self, settings: LimitSettings) -> None:
        self._settings = settings
        self._words = limits_of(settings.per_minute)
        self._limiter = Limiter(
            key_func=_key,
            key_style="endpoint",
            strategy="moving-window",
            storage_uri=settings.storage,
            storage_options=dict(settings.options),
            in_memory_fallback_enabled=settings.is_shared,
            key_prefix=PREFIX,
        )
        if not self._limiter.enabled:
            raise WebConfigError(
                "RATELIMIT_ENABLED switches the rate limits off; remove it from the environment "
                "and from .env"
            )
        self._checks: dict[LimitClass, Guard] = {}
        self._was_local = False
        settings.metrics.gauge(ACTIVE, 0)

    @property
    def is_local(self) -> bool:
        """Tell whether this process counts for itself although others are there to share."""
        return self._settings.is_shared and self._limiter.limiter is not self._limiter._limiter  # noqa: SLF001

    def guard(self, limit: LimitClass, *, is_signed: bool) -> Guard | None:
        """Return the guard of routes of a class; None for those that always work."""
        if limit is LimitClass.UNLIMITED:
            return None
        # One for each class: slowapi counts once for each function that it decorated.
        check = self._checks.get(limit) or self._checks.setdefault(limit, self._make(limit))

        async def signed_guard(request: Request, signed: SignedIn) -> None:
            request.state.limit_key = user_key(signed.user, "limit")
            await self._check(request, check, limit)

        async def visitor_guard(request: Request) -> None:
            address = visitor_of(request, context_of(request).deps.trusted_proxies)
            request.state.limit_key = visitor_key(address)
            await self._check(request, check, limit)

        return signed_guard if is_signed else visitor_guard

    def _make(self, limit: LimitClass) -> Guard:
        async def passed(request: Request) -> None:
            """Nothing is left to do when the limiter has let the request through."""

        # By this name slowapi knows what it decorated.
        passed.__name__ = f"passed_{limit.value}"
        words = self._words[limit]
        check: Guard = self._limiter.shared_limit(words, scope=limit.value)(passed)
        _require_parsed(self._limiter, passed, words)
        return check

    async def _check(self, request: Request, check: Guard, limit: LimitClass) -> None:
        try:
            await check(request=request)
        except RateLimitExceeded:
            self._settings.metrics.count(LIMITED, kind=limit.value)
            raise self._too_often(request) from None
        finally:
            self._watch()

    def _too_often(self, request: Request) -> HTTPException:
        item, words = request.state.view_rate_limit
        try:
            reset, left = self._limiter.limiter.get_window_stats(item, *words)
        except Exception:  # noqa: BLE001 - Whatever its storage raises, the answer is 429.
            wait, left = item.get_expiry(), 0
        else:
            wait = int(reset - context_of(request).deps.clock.now().timestamp()) + 1
        wait = min(max(wait, 1), item.get_expiry())
        headers = {
            "Retry-After": str(wait),
            "RateLimit-Limit": str(item.amount),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(wait),
        }
        return HTTPException(
            429, f"That was asked for too often. Try again in {_seconds(wait)}.", headers
        )

    def _watch(self) -> None:
        if self.is_local == self._was_local:
            return
        self._was_local = self.is_local
        self._settings.metrics.gauge(ACTIVE, int(self._was_local))
        if self._was_local:
            log.warning("rate_limits_local", reason="the shared storage does not answer")
        else:
            log.info("rate_limits_shared")


def _key(request: Request) -> str:
    """The parameter must be called `request`, else slowapi calls this without it."""
    return str(request.state.limit_key)


def _require_parsed(limiter: Limiter, function: Callable[..., object], words: str) -> None:
    """A limit that slowapi cannot read it ignores, and the route is then unlimited."""
    name = f"{function.__module__}.{function.__name__}"
    if len(limiter._route_limits.get(name, ())) < len(words.split(";")):  # noqa: SLF001
        raise WebConfigError(f"the rate limit {words!r} cannot be read")


def _seconds(wait: int) -> str:
    minutes = round(wait / 60)
    if minutes > 1:
        return f"about {minutes} minutes"
    return "a second" if wait == 1 else f"{wait} seconds"
