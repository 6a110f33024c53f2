"""The page that Prometheus reads: our own figures, and those of the web processes' requests.

Ours are read from the database and from Redis when somebody asks: whichever of many processes answers, the figures are
those of the whole (docs/adr/0022-observability.md). What is away is left out, and said to be.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import redis
from django.conf import settings
from django.db import Error
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from whatsapp_monitoring_app.models import WhatsAppSender
from whatsapp_monitoring_app.services import attempt_counts, gauges, shared_memory
from whatsapp_monitoring_app.services.gauges import NOBODY, QueueFor, family
from whatsapp_monitoring_app.services.impatience import impatient_database

logger = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Seconds that one question to the database may take.
PATIENCE = 5


def page(at: datetime, queue_for: QueueFor) -> bytes:
    """Everything, as text. `queue_for` names the queue of a priority, and whether it is the first attempt."""
    ours = CollectorRegistry(auto_describe=False)
    ours.register(_Ours(at, queue_for))
    return generate_latest(ours) + generate_latest(_requests())


def _requests() -> CollectorRegistry:
    """What all web processes have counted together; without gunicorn there is one."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class _Ours(Collector):
    def __init__(self, at: datetime, queue_for: QueueFor) -> None:
        self._at, self._queue_for = at, queue_for

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        began = time.monotonic()
        well = family("scrape_success", "Whether this source could be read.", ("source",), ())
        for source, read in (("database", self._from_database), ("redis", _from_redis)):
            found = _carefully(source, read)
            well.add_metric((source,), float(found is not None))
            yield from found or ()
        yield well
        yield family("scrape_seconds", "How long reading took.", (), [((), time.monotonic() - began)])

    def _from_database(self) -> list[Metric]:
        at = self._at
        with impatient_database(PATIENCE):
            senders = list(WhatsAppSender.objects.defer("token"))
            codes = {sender.pk: sender.code for sender in senders}
            return [
                *gauges.queues(at, _queue_names(), self._queue_for),
                *gauges.backlog(),
                *gauges.day(at, codes),
                *gauges.times(at),
                *gauges.circuits(at, senders),
                *gauges.webhooks(at),
                *gauges.orders(at),
                *gauges.life(),
                *_attempts(at, codes),
            ]


def _carefully(source: str, read: Callable[[], list[Metric]]) -> list[Metric] | None:
    try:
        return read()
    except (Error, redis.RedisError) as error:
        logger.warning("The figures of the %s are missing: %s", source, error)
        return None


def _attempts(at: datetime, codes: dict[int, str]) -> Iterator[CounterMetricFamily]:
    """Without Redis, which keeps them, there are none; the others are not less true for it."""
    labels = ("office", "sender", "outcome", "error_class")
    found = CounterMetricFamily("whatsapp_attempts", "Attempts since counting began.", labels=labels)
    try:
        counts = attempt_counts.count(at)
    except redis.RedisError as error:
        logger.warning("The attempts cannot be counted: %s", error)
        return
    for kind, number in counts.items():
        sender = codes.get(int(kind.sender), NOBODY) if kind.sender else NOBODY
        found.add_metric((kind.office, sender, kind.outcome, kind.error_class), number)
    yield found


def _from_redis() -> list[Metric]:
    """What Celery holds: bells, not messages."""
    names = _queue_names()
    pipeline = shared_memory.client().pipeline(transaction=False)
    for name in names:
        pipeline.llen(name)
    pipeline.hlen("unacked")
    *waiting, taken = pipeline.execute()
    depths: GaugeMetricFamily = family(
        "broker_tasks",
        "Tasks that wait in Redis.",
        ("queue",),
        (((name,), number) for name, number in zip(names, waiting, strict=True)),
    )
    what = "Tasks that workers have taken and not finished, and those for later."
    return [depths, family("broker_unacknowledged_tasks", what, (), [((), taken)])]


def _queue_names() -> list[str]:
    return [queue.name for queue in settings.CELERY_TASK_QUEUES]
