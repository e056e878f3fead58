"""Redis or Valkey: the shared cache, and how slowapi reaches the same server. Never a record."""

from signalfleet.adapters.redis.cache import RedisCache
from signalfleet.adapters.redis.limits import limiter_options

__all__ = ["RedisCache", "limiter_options"]
