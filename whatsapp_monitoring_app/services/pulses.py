"""Signs of life: which parts of the system were seen, and when."""

import enum
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error, close_old_connections
from django.db.models import Subquery

from whatsapp_monitoring_app.models import AlertKind, WhatsAppPulse

logger = logging.getLogger(__name__)

Part = WhatsAppPulse.Part

# How often a worker gives a sign of life. Beat gives one whenever it publishes a task, several times a minute.
INTERVAL = timedelta(seconds=20)
# No sign for this long: the part is silent.
SILENT_AFTER = timedelta(minutes=3)


class Life(enum.Enum):
    ALIVE = "alive"
    SILENT = "silent"
    NEVER_SEEN = "never seen"


@dataclass(frozen=True)
class Pulse:
    """How one part is, and when it was last seen, if ever."""

    part: WhatsAppPulse.Part
    life: Life
    at: datetime | None

    @property
    def is_alive(self) -> bool:
        return self.life is Life.ALIVE

    @property
    def kind_of_alert(self) -> AlertKind:
        """What its silence is."""
        return AlertKind.WORKERS_SILENT if self.part is Part.WORKER else AlertKind.BEAT_SILENT


@dataclass(frozen=True)
class Pulses:
    worker: Pulse
    beat: Pulse

    @property
    def all(self) -> list[Pulse]:
        """Workers first: while they are silent, what else is silent matters less."""
        return [self.worker, self.beat]


def note(part: WhatsAppPulse.Part, at: datetime) -> None:
    """This part lives. Any number of processes may say so at once."""
    WhatsAppPulse.objects.bulk_create(
        [WhatsAppPulse(part=part, at=at)], update_conflicts=True, unique_fields=["part"], update_fields=["at"]
    )


def note_if_possible(part: WhatsAppPulse.Part, at: datetime) -> None:
    """The same, for threads of others: while the database is away nothing is noted, and nothing breaks."""
    try:
        note(part, at)
    except Error as error:
        logger.error("No sign of life could be noted: %s", error)
    finally:
        close_old_connections()


def look(at: datetime) -> Pulses:
    """How the parts are now, in one query."""
    seen = dict(WhatsAppPulse.objects.values_list("part", "at"))
    return of(seen.get(Part.WORKER), seen.get(Part.BEAT), at)


def last(part: WhatsAppPulse.Part) -> Subquery:
    """When this part was last seen, as a column of somebody else's question."""
    return Subquery(WhatsAppPulse.objects.filter(part=part).values("at"))


def of(worker_at: datetime | None, beat_at: datetime | None, at: datetime) -> Pulses:
    """How the parts are now that were last seen then."""
    return Pulses(_pulse(Part.WORKER, worker_at, at), _pulse(Part.BEAT, beat_at, at))


def _pulse(part: WhatsAppPulse.Part, seen_at: datetime | None, at: datetime) -> Pulse:
    if seen_at is None:
        return Pulse(part, Life.NEVER_SEEN, None)
    return Pulse(part, Life.ALIVE if at - seen_at < SILENT_AFTER else Life.SILENT, seen_at)
