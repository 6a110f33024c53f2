"""What the database says of the whole, as families of Prometheus. docs/observability.md says what each is for.

Each question is bounded: by the ledger of counts, by a partial index, or by a limit. No label is about a person.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import connection
from django.db.models import Count, F, Min, Sum
from prometheus_client.core import GaugeMetricFamily

from whatsapp_monitoring_app.models import (
    WhatsAppAlert,
    WhatsAppBulk,
    WhatsAppPulse,
    WhatsAppRetryBatch,
    WhatsAppSender,
)
from whatsapp_monitoring_app.services.durations import Times

# A queue's messages are counted up to here; the oldest ones, so that the age is right.
DEEPEST = 100_000
# Payloads that wait are counted up to here; the lag is that of so many of the latest.
PAYLOADS, LATEST_PAYLOADS = 10_000, 200
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOBODY = "none"


class QueueFor(Protocol):
    """Names the queue in which a message of this priority is rung for."""

    def __call__(self, priority: int, *, is_first: bool) -> str: ...


Labels = tuple[str, ...]


def family(name: str, what: str, labels: Labels, samples: Iterable[tuple[Labels, float]]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(f"whatsapp_{name}", what, labels=labels)
    for values, number in samples:
        found.add_metric(values, number)
    return found


def since(moment: datetime | None, at: datetime) -> float:
    """Seconds until now; 0 when there is nothing to wait for."""
    return max(0.0, (at - moment).total_seconds()) if moment else 0.0


def queues(at: datetime, names: Iterable[str], queue_for: QueueFor) -> Iterator[GaugeMetricFamily]:
    """What should have left, by the queue that it is rung for in."""
    counts = dict.fromkeys(names, 0)
    oldest: dict[str, datetime] = {}
    for priority, is_first, number, first in _ask(_DUE, at=at, deepest=DEEPEST):
        name = queue_for(priority, is_first=is_first)
        if name in counts:
            counts[name] += number
            oldest[name] = min(first, oldest.get(name, first))
    due = (((name,), number) for name, number in counts.items())
    yield family("queue_due_messages", f"Messages whose time has come; at most {DEEPEST}.", ("queue",), due)
    ages = (((name,), since(oldest.get(name), at)) for name in counts)
    yield family("queue_oldest_seconds", "For how long the oldest of them has been due.", ("queue",), ages)


# By the index notification_due.
_DUE = """
WITH due AS (
  SELECT priority, attempt_count = 0 AS is_first, next_attempt_at
  FROM whatsapp_monitoring_app_whatsappnotification
  WHERE status IN ('pending', 'retry_scheduled') AND next_attempt_at <= %(at)s
  ORDER BY next_attempt_at LIMIT %(deepest)s
)
SELECT priority, is_first, count(*), min(next_attempt_at) FROM due GROUP BY 1, 2
"""


def backlog() -> Iterator[GaugeMetricFamily]:
    """What waits now, whenever it was created: on its way, for a confirmation, for a person."""
    rows = _ask("SELECT source_app, state, error_class, sum(count) FROM whatsapp_backlog GROUP BY 1, 2, 3")
    samples = ((tuple(names), number) for *names, number in rows if number)
    what = "Messages on their way (waiting), without a clear answer (unconfirmed), or to be seen to (failed)."
    yield family("backlog_messages", what, ("office", "state", "error_class"), samples)


_STATES = ("waiting", "unconfirmed", "accepted", "delivered", "read", "failed")
_PACES = ("prompt", "tardy", "untried")
_DAY = """
SELECT source_app, sender, sum(waiting), sum(unconfirmed), sum(accepted), sum(delivered), sum(read), sum(failed),
  sum(prompt), sum(tardy), sum(untried)
FROM whatsapp_counts WHERE hour >= %(begin)s GROUP BY 1, 2
"""
_FAILURES = """
SELECT source_app, error_class, sum(count) FROM whatsapp_failure_counts WHERE hour >= %(begin)s GROUP BY 1, 2
"""


def day(at: datetime, senders: dict[int, str]) -> Iterator[GaugeMetricFamily]:
    """What became of the messages of the last 24 hours, from the ledger of counts."""
    rows = _ask(_DAY, begin=at - DAY)
    states = family("day_messages", "Messages created within 24 hours, by state.", ("office", "sender", "state"), ())
    paces = family(
        "day_first_attempts", "The same, by whether they were tried within ten seconds.", ("office", "pace"), ()
    )
    by_pace: dict[Labels, float] = {}
    for office, sender, *numbers in rows:
        for state, number in zip(_STATES, numbers, strict=False):
            states.add_metric((office, senders.get(sender, NOBODY), state), number)
        for pace, number in zip(_PACES, numbers[len(_STATES) :], strict=True):
            by_pace[office, pace] = by_pace.get((office, pace), 0) + number
    for labels, number in by_pace.items():
        paces.add_metric(labels, number)
    yield states
    yield paces
    samples = ((tuple(names), number) for *names, number in _ask(_FAILURES, begin=at - DAY))
    yield family("day_failures", "The failed ones of them, by cause.", ("office", "error_class"), samples)


_TIMES = """
SELECT source_app, measure, class, sum(count)::integer, sum(histogram)::text FROM whatsapp_times
WHERE hour >= %(begin)s GROUP BY 1, 2, 3
"""


def times(at: datetime) -> Iterator[GaugeMetricFamily]:
    """How long it took until the messages of this hour and the one before were tried, accepted, delivered."""
    found: dict[Labels, Times] = {}
    begin = at.replace(minute=0, second=0, microsecond=0) - HOUR
    for office, measure, number, count, histogram in _ask(_TIMES, begin=begin):
        of = found.setdefault((office, measure), Times())
        if number is None:
            of.histogram = histogram
        else:
            of.classes[number] += count
    what = "Seconds from when a message was due until it was first tried, accepted, delivered; of one to two hours."
    seconds = family("message_seconds", what, ("office", "measure", "quantile"), ())
    for labels, of in found.items():
        for quantile, time in (("0.5", of.spread.half), ("0.95", of.spread.most)):
            if time is not None:
                seconds.add_metric((*labels, quantile), time.total_seconds())
    yield seconds


def circuits(at: datetime, senders: Iterable[WhatsAppSender]) -> Iterator[GaugeMetricFamily]:
    used = [sender for sender in senders if sender.is_active]
    states = (
        ((sender.code, state), float(state == _circuit_of(sender, at)))
        for sender in used
        for state in ("closed", "half_open", "open")
    )
    yield family(
        "sender_circuit", "1 for the state that the circuit of this sender is in.", ("sender", "state"), states
    )
    ends = (((each.code,), each.token_expires_at.timestamp()) for each in used if each.token_expires_at)
    yield family("sender_token_expiry_timestamp_seconds", "When its token ends, if known.", ("sender",), ends)
    asked = (((each.code,), float(each.is_connected)) for each in used if each.is_connected is not None)
    yield family("sender_connected", "Whether its provider says that the account works.", ("sender",), asked)


def _circuit_of(sender: WhatsAppSender, at: datetime) -> str:
    if sender.stopped_until is None:
        return "closed"
    return "open" if sender.is_stopped(at) else "half_open"


# By the index webhook_to_process.
_UNREAD = """
WITH unread AS (
  SELECT received_at FROM whatsapp_monitoring_app_whatsappwebhooklog WHERE processed_at IS NULL
  ORDER BY received_at LIMIT %(payloads)s
)
SELECT count(*), min(received_at) FROM unread
"""
# By the index webhook_by_date.
_READ = """
WITH latest AS (
  SELECT provider, received_at, processed_at FROM whatsapp_monitoring_app_whatsappwebhooklog
  ORDER BY received_at DESC LIMIT %(latest)s
)
SELECT provider, max(received_at),
  percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM processed_at - received_at))
FROM latest GROUP BY 1
"""


def webhooks(at: datetime) -> Iterator[GaugeMetricFamily]:
    ((count, oldest),) = _ask(_UNREAD, payloads=PAYLOADS)
    what = f"Payloads that are stored and not applied yet; at most {PAYLOADS}."
    yield family("webhook_unread_payloads", what, (), [((), count)])
    yield family(
        "webhook_oldest_unread_seconds", "For how long the oldest of them waits.", (), [((), since(oldest, at))]
    )
    rows = _ask(_READ, latest=LATEST_PAYLOADS)
    lags = (((provider,), float(lag)) for provider, _last, lag in rows if lag is not None)
    what = f"Within this time 95 of 100 of the latest {LATEST_PAYLOADS} payloads were applied."
    yield family("webhook_lag_seconds", what, ("provider",), lags)
    last = (((provider,), moment.timestamp()) for provider, moment, _lag in rows)
    yield family("webhook_last_received_timestamp_seconds", "When the latest of them came.", ("provider",), last)


def orders(at: datetime) -> Iterator[GaugeMetricFamily]:
    """What people have asked for and is not done yet."""
    bulks = (
        WhatsAppBulk.objects.filter(finished_at=None)
        .order_by()
        .aggregate(
            number=Count("pk"),
            oldest=Min("created_at"),
            left=Sum(F("people_count") - F("written_count") - F("refused_count")),
        )
    )
    yield family("bulks_unfinished", "Bulk messages that are not all written yet.", (), [((), bulks["number"])])
    yield family("bulks_oldest_seconds", "Age of the oldest of them.", (), [((), since(bulks["oldest"], at))])
    yield family("bulks_people_left", "People whose message is not written yet.", (), [((), bulks["left"] or 0)])
    open_batches = WhatsAppRetryBatch.objects.filter(finished_at=None).order_by().values_list("state")
    samples = (((state,), number) for state, number in open_batches.annotate(number=Count("pk")))
    yield family("retry_batches_unfinished", "Retries of many that are not over.", ("state",), samples)


def life() -> Iterator[GaugeMetricFamily]:
    seen = (((part,), at.timestamp()) for part, at in WhatsAppPulse.objects.values_list("part", "at"))
    yield family("pulse_timestamp_seconds", "When workers and beat were last seen.", ("part",), seen)
    kinds = WhatsAppAlert.objects.open().order_by().values_list("kind").annotate(number=Count("pk"))
    samples = (((kind,), number) for kind, number in kinds)
    yield family("open_alerts", "Alerts that the pages of the offices show.", ("kind",), samples)


def _ask(statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
