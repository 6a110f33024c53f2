"""Asking what became of a message, where a provider answers that: its receipt may have been lost on the way to us.

When to ask follows from a moment that the message has anyway, so that no column is needed: ten minutes after it was
accepted, then after 20, 40, 80 minutes and so on, up to three days; about one whose call got no answer, at once too.
A question stays open for ten minutes, so that a run that is late, or has too much to ask, does not lose it. Redis
remembers that it was asked; while Redis is away nothing is asked.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

import redis
from django.db.models import Q

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import Status, WhatsAppNotification
from whatsapp_monitoring_app.providers import base, transport
from whatsapp_monitoring_app.services import receipts, shared_memory
from whatsapp_monitoring_app.services.verdicts import CONFIRMATION_TIME

logger = logging.getLogger(__name__)

Send = Callable[[base.HttpRequest], base.HttpAnswer]

INTERVAL = timedelta(minutes=10)
# 10 minutes, 20, 40, … 43 hours: the next one would be after three days.
AGES = [INTERVAL * 2**step for step in range(9)]
AT_MOST = 50
# A provider that hangs costs a run at most this long and one time-out.
RUN_SECONDS = 20.0
# Open questions that one run looks at: as many as all runs can ask while a question is open.
SCAN = AT_MOST * 10


def poll(at: datetime, send: Send = transport.send, clock: Callable[[], float] = time.monotonic) -> int:
    """Ask about the messages that are due for it, and take what is told as receipts; how many told something.

    To be called outside of a transaction: none is open, and no lock is held, while the provider is called.
    """
    end, asked, told = clock() + RUN_SECONDS, 0, 0
    for notification in _open_questions(at):
        if asked == AT_MOST or clock() > end:
            break
        try:
            is_ours = _is_ours_to_ask(notification)
        except redis.RedisError as error:
            logger.error("Redis is away, nobody knows what was asked: %s", error)
            break
        if is_ours:
            asked += 1
            told += _ask_safely(notification, at, send)
    return told


def _open_questions(at: datetime) -> list[WhatsAppNotification]:
    askable = [provider.code for provider in providers.all_providers() if provider.can_be_asked]
    sent = Q(status=Status.SENT) & _opened(at, "sent_at", AGES)
    # The deadline tells when the call was made: it lies the confirmation time after it.
    in_doubt = Q(status=Status.UNCONFIRMED) & _opened(at + CONFIRMATION_TIME, "confirm_by", [timedelta(), *AGES])
    known = WhatsAppNotification.objects.filter(sender__provider__in=askable, provider_message_id__isnull=False)
    # What is in doubt first: it waits to be sent again.
    return list(known.filter(sent | in_doubt).select_related("sender").order_by("-status", "-created_at")[:SCAN])


def _opened(at: datetime, field: str, ages: list[timedelta]) -> Q:
    """Those whose field is as old as one of these ages, or up to one interval older."""
    return reduce(or_, (Q(**{f"{field}__gt": at - age - INTERVAL, f"{field}__lte": at - age}) for age in ages))


def _is_ours_to_ask(notification: WhatsAppNotification) -> bool:
    """Whether nobody has asked within the interval; from now on somebody has. Raises RedisError."""
    return bool(shared_memory.client().set(f"asked:{notification.pk}", "", px=INTERVAL, nx=True))


def _ask_safely(notification: WhatsAppNotification, at: datetime, send: Send) -> bool:
    try:
        return _ask(notification, at, send)
    except (transport.NotSent, transport.NoAnswer) as error:
        logger.warning("Nothing was told about notification %s: %s", notification.pk, error)
    except Exception:  # one bad answer must not keep the others from being asked about
        logger.exception("Notification %s could not be asked about", notification.pk)
    return False


def _ask(notification: WhatsAppNotification, at: datetime, send: Send) -> bool:
    sender = notification.sender
    if sender is None or sender.credentials is None or notification.provider_message_id is None:
        return False
    provider = providers.get(sender.provider)
    account = base.Account(*sender.credentials, address=sender.address)
    answer = send(provider.build_status_request(account, notification.provider_message_id))
    event = provider.read_status(answer)
    if event is None:
        if answer.status >= 400:
            logger.warning("Nothing was told about notification %s: HTTP %s", notification.pk, answer.status)
        return False
    receipts.take(provider.code, event, at)
    return True
