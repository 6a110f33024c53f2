"""Why a message is not simply sent again: each reason once, for one message and for fifty thousand."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, Value, When
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models import ErrorClass, Status, WhatsAppInbound, WhatsAppNotification, WhatsAppTemplate
from whatsapp_monitoring_app.models.subjects import known_better, superseded
from whatsapp_monitoring_app.services import cancellation, message_types, routing, window, wording
from whatsapp_monitoring_app.services.approval import Unsayable
from whatsapp_monitoring_app.services.circumstances import Circumstances
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS_OF_CODES

# What was written longer ago may not be true any more.
STALE_AFTER = timedelta(hours=24)
# Meta's codes for people whom it keeps messages from: the number is right.
NOT_THE_NUMBER = ("130472", "130497")
# Codes of a number's own class that a retry can help against all the same.
MENDABLE = [code for (_provider, code), help in EXPLANATIONS_OF_CODES.items() if help.retry_helps]


class Reason(models.TextChoices):
    """A sentence each, for whoever asked; the first that applies is the one that counts."""

    NOT_FAILED = "not_failed", _("It has not failed, or is on its way again.")
    RESENT = "resent", _("This message was sent again to the person’s corrected number already.")
    FORMER_NUMBER = (
        "former_number",
        _("This person has another number now. Send the message again from their own page."),
    )
    STRANGER = "stranger", _("Somebody else answers at this number. Correct the person’s number first.")
    REFUSES = "refuses", _("This person does not want such messages any more. Call them if they must know.")
    KNOWN_BETTER = (
        "known_better",
        _("A newer message has told this person more about the same, or is about to: this one would be old news."),
    )
    WINDOW_CLOSED = (
        "window_closed",
        _(
            "The client has not written to us in the last 24 hours, and no template can say this message. "
            "Ask them to write one word to our number, or call them."
        ),
    )
    BROKEN = "broken", _("An unexpected error, which the log explains.")
    # Those that a person may answer for.
    TOLD = "told", _("Somebody of ours has told this person already.")
    GIVEN_UP = "given_up", _("A person has given it up.")
    NO_WHATSAPP = "no_whatsapp", _("This number has no WhatsApp: correct it, or call.")
    KEPT_AWAY = "kept_away", _("WhatsApp keeps such messages from this person, whatever the number: call them.")
    PERHAPS_SENT = (
        "perhaps_sent",
        _("The client may have it already, and a second one would confuse them: ask them first."),
    )
    STALE = "stale", _("It is more than 24 hours old: is it still true?")


# What does not speak against a retry once somebody has said that they know.
DOUBTS = (Reason.TOLD, Reason.GIVEN_UP, Reason.NO_WHATSAPP, Reason.KEPT_AWAY, Reason.PERHAPS_SENT, Reason.STALE)


def rules(at: datetime) -> dict[Reason, Q]:
    """Which notifications each reason speaks of, but for those that take more than the row; asked in this order."""
    is_failed = Q(status=Status.FAILED)
    is_refused = is_failed & Q(error_class=ErrorClass.RECIPIENT_PERMANENT)
    is_over = is_failed | Q(status=Status.UNCONFIRMED)
    return {
        Reason.RESENT: Q(resent_as__isnull=False),
        Reason.FORMER_NUMBER: cancellation.has_moved_on(),
        Reason.STRANGER: cancellation.somebody_else_answers(),
        Reason.REFUSES: cancellation.refused(),
        Reason.KNOWN_BETTER: superseded() | known_better(),
        Reason.TOLD: Q(informed_at__isnull=False),
        Reason.GIVEN_UP: is_failed & Q(settled_by__isnull=False),
        Reason.NO_WHATSAPP: is_refused & ~Q(error_code__in=[*MENDABLE, *NOT_THE_NUMBER]),
        Reason.KEPT_AWAY: is_refused & Q(error_code__in=NOT_THE_NUMBER),
        Reason.PERHAPS_SENT: Q(status=Status.UNCONFIRMED, message_type__in=message_types.TYPES_THAT_ASK),
        Reason.STALE: is_over & Q(created_at__lt=at - STALE_AFTER),
    }


def of_one(notification: WhatsAppNotification, at: datetime) -> list[Reason]:
    """Everything that speaks against sending this one again, in order. Its status is not looked at."""
    asked = rules(at)
    flags = [Case(When(rule, then=Value(True)), default=Value(False)) for rule in asked.values()]
    answers = WhatsAppNotification.objects.filter(pk=notification.pk).values_list(*flags).get()
    found = [reason for reason, applies in zip(asked, answers, strict=True) if applies]
    if Reason.RESENT not in found and cannot_be_said(notification, at):
        found.append(Reason.WINDOW_CLOSED)
    return found


def of_each(at: datetime, confirmed: frozenset[Reason]) -> Case:
    """For a bulk: the reason against each of them as a column, "" where there is none; only what failed is sent."""
    asked = {
        Reason.NOT_FAILED: ~Q(status=Status.FAILED),
        Reason.WINDOW_CLOSED: _seems_unsayable(at),
        **rules(at),
    }
    counted = (When(rule, then=Value(reason.value)) for reason, rule in asked.items() if reason not in confirmed)
    return Case(*counted, default=Value(""), output_field=models.CharField())


def cannot_be_said(notification: WhatsAppNotification, at: datetime) -> bool:
    """Whether it failed because the 24-hour window was closed, and still no way of saying it is open."""
    if notification.error_class != ErrorClass.WINDOW_CLOSED:
        return False
    circumstances = Circumstances([notification], at)
    sender = routing.choose(notification, circumstances).sender
    try:
        wording.of(notification, sender, circumstances)
    except Unsayable as refusal:
        return refusal.until is None and refusal.error.error_class is ErrorClass.WINDOW_CLOSED
    return False


def _seems_unsayable(at: datetime) -> Q:
    """The same as far as the database knows: whoever queues one of many asks `cannot_be_said` again."""
    written_since = WhatsAppInbound.objects.filter(
        phone_number=OuterRef("phone_number"),
        occurred_at__gt=Greatest(OuterRef("failed_at"), Value(at - window.LENGTH)),
    )
    stand_ins = WhatsAppTemplate.objects.filter(
        Q(message_type=OuterRef("message_type")) | Q(message_type=WhatsAppTemplate.EVERY_TYPE), is_active=True
    )
    closed = Q(status=Status.FAILED, error_class=ErrorClass.WINDOW_CLOSED, template=None)
    return closed & ~Q(Exists(written_since)) & ~Q(Exists(stand_ins))
