"""Who posts to a webhook without being its provider, so often that it is not worth a signature.

Counted in the Redis that all processes share; while it is away, everybody is heard.
"""

import logging
from datetime import timedelta

import redis

from whatsapp_monitoring_app.services import shared_memory

logger = logging.getLogger(__name__)

# Far more than a provider whose secret we got wrong posts, far less than a flood.
REFUSALS_PER_MINUTE = 600
MINUTE = timedelta(minutes=1)
# An address from which a provider has posted is heard for this long, whoever else is behind it.
TRUST = timedelta(days=1)
TRUSTED = -(10**9)


def is_flooding(address: str) -> bool:
    """Whether this address has used up its refusals of this minute."""
    try:
        refusals = int(shared_memory.client().get(_key(address)) or 0)
    except redis.RedisError as error:
        logger.error("Redis is away, nobody knows of a flood: %s", error)
        return False
    return refusals >= REFUSALS_PER_MINUTE


def note_refusal(address: str) -> None:
    """Count one post that no provider had signed."""
    try:
        with shared_memory.client().pipeline() as steps:
            # The minute begins with the first refusal.
            steps.set(_key(address), 0, px=MINUTE, nx=True)
            steps.incr(_key(address))
            steps.execute()
    except redis.RedisError as error:
        logger.error("Redis is away, a refusal is not counted: %s", error)


def note_proof(address: str) -> None:
    """Hear this address from now on: a provider posts from there, and must not suffer from its neighbours."""
    try:
        shared_memory.client().set(_key(address), TRUSTED, px=TRUST)
    except redis.RedisError as error:
        logger.error("Redis is away, a proof is not remembered: %s", error)


def _key(address: str) -> str:
    return f"webhook:refused:{address}"
