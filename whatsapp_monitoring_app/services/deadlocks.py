"""Steps that met another one head-on: PostgreSQL breaks one of the two off, and it may simply try again."""

import logging
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError
from psycopg.errors import DeadlockDetected, SerializationFailure

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

TRIES = 5


def again_after_deadlock(step: Callable[[], Result]) -> Result:
    """What the step returns: a whole transaction, or a savepoint, repeated when another one stood in its way.

    Raises what the step raises; OperationalError too when it met others TRIES times.
    """
    for _ in range(TRIES - 1):
        try:
            return step()
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected | SerializationFailure):
                raise
            logger.warning("Broken off by PostgreSQL, and tried again: %s", type(error.__cause__).__name__)
    return step()
