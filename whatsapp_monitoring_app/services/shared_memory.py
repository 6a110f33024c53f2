"""The Redis that all processes share, asked once and quickly: whoever uses it must be able to do without it."""

from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry


@cache
def client() -> redis.Redis:
    """The connection pool of this process."""
    once = Retry(NoBackoff(), retries=0)
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1, retry=once)
