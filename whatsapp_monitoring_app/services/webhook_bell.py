"""One ring for many webhook payloads: who rings while an earlier ring was not heard yet need not.

A worker answers before it looks for payloads. So a payload that was safe when its ring was left out is found by the
worker of the earlier one. While Redis is away everybody rings.
"""

import logging
from datetime import timedelta

import redis

from whatsapp_monitoring_app.services import shared_memory

logger = logging.getLogger(__name__)

KEY = "webhook:rung"
# A ring that no worker has heard for this long may be lost.
PATIENCE = timedelta(seconds=2)


def press() -> bool:
    """Whether this call has to ring. To be asked once the payload is safe in the database."""
    try:
        return bool(shared_memory.client().set(KEY, "", px=PATIENCE, nx=True))
    except redis.RedisError as error:
        logger.error("Redis is away, nobody knows who has rung: %s", error)
        return True


def answer() -> None:
    """A worker has heard it, and looks now."""
    try:
        shared_memory.client().delete(KEY)
    except redis.RedisError as error:
        logger.error("Redis is away, nobody knows that a ring was heard: %s", error)
