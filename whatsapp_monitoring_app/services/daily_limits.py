"""How many different people an account writes to in 24 hours: Meta's "messaging limits".

One more message to somebody who has had one costs nothing.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppNotification, WhatsAppSender
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.providers.base import ProviderError
from whatsapp_monitoring_app.services import turns

DAY = timedelta(hours=24)


@dataclass
class _Allowance:
    """Who of the people in question has been written to through one account, and to how many more it may write."""

    known: set[str]
    left: int


class Limits:
    """What is left of the daily limits for these messages, which are claimed."""

    def __init__(
        self, senders: Sequence[WhatsAppSender], notifications: Sequence[WhatsAppNotification], at: datetime
    ) -> None:
        self._senders = senders
        self._notifications = notifications
        self._at = at
        self._allowances: dict[int, _Allowance] = {}

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let nobody else take from the same limits until the block ends. Without limited senders nobody waits."""
        accounts = {sender.account_key for sender in self._senders if sender.daily_limit is not None}
        if not accounts:
            yield
            return
        with transaction.atomic():
            turns.wait_for(*(f"daily limit:{account}" for account in accounts))
            yield

    def obstacle(self, sender: WhatsAppSender, notification: WhatsAppNotification) -> ProviderError | None:
        """Why this sender may not write to this person today; None when it may."""
        if sender.daily_limit is None:
            return None
        allowance = self._allowance(sender, sender.daily_limit)
        if allowance.left > 0 or notification.phone_number in allowance.known:
            return None
        words = f"The sender “{sender.code}” has written to {sender.daily_limit} people today."
        return ProviderError(ErrorClass.DAILY_LIMIT, message=words)

    def take(self, sender: WhatsAppSender, notification: WhatsAppNotification) -> None:
        """Count this person, who is to be written to."""
        if sender.daily_limit is None:
            return
        allowance = self._allowance(sender, sender.daily_limit)
        if notification.phone_number not in allowance.known:
            allowance.known.add(notification.phone_number)
            allowance.left -= 1

    def settle(self, leaving: Iterable[tuple[WhatsAppSender, WhatsAppNotification]]) -> None:
        """Let these, which leave now through these senders, count for everybody."""
        by_sender: defaultdict[int, list[uuid.UUID]] = defaultdict(list)
        for sender, notification in leaving:
            if sender.daily_limit is not None:
                by_sender[sender.pk].append(notification.pk)
        for sender_id, codes in by_sender.items():
            WhatsAppNotification.objects.filter(pk__in=codes).update(sender=sender_id)

    def _allowance(self, sender: WhatsAppSender, limit: int) -> _Allowance:
        if sender.pk not in self._allowances:
            others = _written_to(sender, self._at).exclude(pk__in=[each.pk for each in self._notifications])
            today = others.order_by().values_list("phone_number", flat=True).distinct()
            known = set(today.filter(phone_number__in={each.phone_number for each in self._notifications}))
            self._allowances[sender.pk] = _Allowance(known, limit - today.count())
        return self._allowances[sender.pk]


def _written_to(sender: WhatsAppSender, at: datetime) -> NotificationQuerySet:
    """What has left through this sender's account within a day, perhaps left, or is leaving."""
    perhaps = Q(status__in=(Status.UNCONFIRMED, Status.SENDING), first_attempt_at__gt=at - DAY)
    return WhatsAppNotification.objects.filter(Q(sent_at__gt=at - DAY) | perhaps, sender__in=sender.same_account())
