"""Whether everything that messages need is there, for those who watch the site from outside."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import redis
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from whatsapp_monitoring_app.services import pulses, shared_memory
from whatsapp_monitoring_app.services.impatience import impatient_database

logger = logging.getLogger(__name__)

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One thing that is needed, and what is wrong with it: "" when nothing is. No address, no name, no secret."""

    name: str
    problem: str = ""

    @property
    def is_well(self) -> bool:
        return not self.problem


def look(at: datetime) -> Sequence[Check]:
    """How each part is. Answers within a few seconds, whatever is away: see impatience.py and shared_memory.py."""
    return [*_database(at), Check("redis", _problem_of_redis())]


def _database(at: datetime) -> list[Check]:
    try:
        with impatient_database():
            missing = _missing_migrations()
            if missing:
                # Their tables may not be there either.
                checks = [
                    Check("migrations", f"{missing} not applied"),
                    Check("beat", UNKNOWN),
                    Check("workers", UNKNOWN),
                ]
            else:
                life = pulses.look(at)
                checks = [Check("migrations"), _alive("beat", life.beat, at), _alive("workers", life.worker, at)]
    except Error as error:
        logger.warning("The database does not answer: %s", error)
        return [Check("database", "away"), *(Check(name, UNKNOWN) for name in ("migrations", "beat", "workers"))]
    return [Check("database"), *checks]


def _missing_migrations() -> int:
    """How many apps have migrations that were not applied. Newer ones than ours are none: a deploy is under way."""
    return len(_last_migrations() - set(MigrationRecorder(connection).applied_migrations()))


@cache
def _last_migrations() -> frozenset[tuple[str, str]]:
    """The last migration of each app, as this process was started with. Without a connection: only files are read."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _alive(name: str, pulse: pulses.Pulse, at: datetime) -> Check:
    if pulse.is_alive:
        return Check(name)
    if pulse.at is None:
        return Check(name, "never seen")
    return Check(name, f"silent for {round((at - pulse.at).total_seconds())} s")


def _problem_of_redis() -> str:
    try:
        shared_memory.client().ping()
    except redis.RedisError as error:
        logger.warning("Redis does not answer: %s", error)
        return "away"
    return ""
