"""What `signalfleet doctor` asks of services that a machine need not have."""

from contextlib import aclosing

from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.firebase import open_firebase
from signalfleet.bootstrap.platform import make_cache
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.cli.store_proof import NEVER
from signalfleet.observability.metrics import PrometheusMetrics


async def firebase_check(settings: Settings) -> str:
    """Open the configured instances, which shows that their rules hold for us."""
    if not settings.firebase_urls:
        return "not used"
    async with aclosing(await open_firebase(settings)) as store:
        proof = await store.proof()
    if proof is None:
        return f"it opens and its rules hold. {NEVER}; live accounts are refused"
    return f"proved at {proof.get('at')} by release {proof.get('release')}"


async def redis_check(settings: Settings) -> str:
    """Ask Redis once, as briefly as the product does."""
    if not settings.redis_url.get_secret_value():
        return "each process has its own (REDIS_URL is not set)"
    async with aclosing(make_cache(settings, SystemClock(), PrometheusMetrics())) as cache:
        if await cache.ping():
            return "Redis answers"
    raise ConfigurationError(
        "Redis does not answer at REDIS_URL within 50 ms; each process would count for itself"
    )
