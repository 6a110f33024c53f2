"""What deciding about some messages asks of the database, read once for all of them."""

import uuid
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from functools import cache, cached_property, partial
from typing import Any, TypeVar, cast

from django.db.models import Max

from whatsapp_monitoring_app.models import (
    ErrorClass,
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppSender,
    WhatsAppTemplate,
    compiled,
    prepared,
)
from whatsapp_monitoring_app.models.senders import STOP_FIELDS
from whatsapp_monitoring_app.services import approval, daily_limits, rendering
from whatsapp_monitoring_app.services.approval import Unsayable
from whatsapp_monitoring_app.services.window import Windows

Found = TypeVar("Found")


class Circumstances:
    """The senders, windows, templates and limits that some messages meet at one moment.

    Each is read when it is first asked for. Whoever holds the messages sees the senders change: a sender is one object
    here, however many messages it has.
    """

    def __init__(self, notifications: Sequence[WhatsAppNotification], at: datetime) -> None:
        self.at = at
        self._notifications = notifications
        self._known: dict[Hashable, Any] = {}

    @cached_property
    def senders(self) -> Sequence[WhatsAppSender]:
        """Every sender, with its fallback as one of them."""
        senders = prepared.instances(WhatsAppSender, _every_sender())
        by_key = {sender.pk: sender for sender in senders}
        for sender in senders:
            sender.fallback = by_key[sender.fallback_id] if sender.fallback_id else None
        return senders

    def sender(self, **key: Any) -> WhatsAppSender:
        """The sender of this `pk` or `code`. Raises WhatsAppSender.DoesNotExist."""
        ((name, value),) = key.items()
        for sender in self.senders:
            if getattr(sender, name) == value:
                return sender
        raise WhatsAppSender.DoesNotExist(f"no sender with the {name} {value}")

    def look_at_stops(self) -> None:
        """See which senders have been stopped, paused or resumed meanwhile."""
        now = {row["pk"]: row for row in WhatsAppSender.objects.values("pk", "is_active", *STOP_FIELDS)}
        for sender in self.senders:
            for name, value in now.get(sender.pk, {"is_active": False}).items():
                setattr(sender, name, value)

    @cached_property
    def windows(self) -> Windows:
        """The 24-hour windows of the people that the messages go to."""
        return Windows({rendering.number_to_call(notification) for notification in self._notifications}, self.at)

    @cached_property
    def limits(self) -> daily_limits.Limits:
        """How many more people may be written to through accounts that have a daily limit."""
        return daily_limits.Limits(self.senders, self._notifications, self.at)

    def window_refused_at(self, notification: WhatsAppNotification) -> datetime | None:
        """When a provider last found this message's window closed: only what was written since opens it again."""
        return self._window_refusals.get(notification.pk)

    @cached_property
    def _window_refusals(self) -> dict[uuid.UUID, datetime]:
        # Before its first call nothing was refused; and that is what most messages are at.
        codes = [each.pk for each in self._notifications if not each.is_at_its_first_call]
        if not codes:
            return {}
        closed = {"notification__in": codes, "error_class": ErrorClass.WINDOW_CLOSED}
        told = WhatsAppAttempt.objects.filter(**closed).order_by().values_list("notification")
        heard = WhatsAppReceipt.objects.filter(**closed).order_by().values_list("notification")
        rows = cast(
            Iterable[tuple[uuid.UUID, datetime]],
            told.annotate(at=Max("finished_at")).union(heard.annotate(at=Max("occurred_at"))),
        )
        found: dict[uuid.UUID, datetime] = {}
        for code, at in rows:
            found[code] = max(at, found.get(code, at))
        return found

    def stand_ins(self, message_type: str) -> Sequence[WhatsAppTemplate]:
        """The templates that may replace a free text of this type, the best one first."""
        return self._once(
            ("stand-ins", message_type), lambda: list(WhatsAppTemplate.objects.standing_in_for(message_type))
        )

    def approved(self, template: WhatsAppTemplate, language: str, sender: WhatsAppSender) -> approval.Approved:
        """The template as this sender's provider has it in this language. Raises approval.Unusable."""
        find = partial(approval.find, template, language, sender, self.at)
        found = self._once(("approved", template.pk, language, sender.pk), partial(_result_of, find))
        if isinstance(found, Unsayable):
            raise found
        return found

    def _once(self, question: Hashable, find: Callable[[], Found]) -> Found:
        if question not in self._known:
            self._known[question] = find()
        return cast(Found, self._known[question])


@cache
def _every_sender() -> str:
    return compiled.select(WhatsAppSender.objects.all()).sql


def _result_of(find: Callable[[], approval.Approved]) -> approval.Approved | Unsayable:
    try:
        return find()
    except Unsayable as refusal:
        return refusal
