"""Telling administrators of alerts, by e-mail and by WhatsApp: never only through what may be broken.

By WhatsApp each person is told once: the messages are written in the transaction that marks the alert. By e-mail at
least once: an alert is marked when the server has taken the e-mails, so whoever dies in between leaves a double, and
what failed is tried again at the next look. Two processes do not write the same e-mail: one of them holds the alert.
"""

import logging
import smtplib
import uuid
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import WhatsAppAlert, WhatsAppAlertChoice, WhatsAppNotification, languages
from whatsapp_monitoring_app.models.alerts import AlertQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import alert_words, default_templates, message_types, outbox
from whatsapp_monitoring_app.services.drafts import Draft

logger = logging.getLogger(__name__)

NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"
# Longer than a mail server may take for all the e-mails of one alert.
HELD_FOR = timedelta(minutes=2)
# What could not be told for this long is no news any more.
NEWS_FOR = timedelta(days=1)
NOT_SENT = (smtplib.SMTPException, OSError, ImproperlyConfigured)


def can_mail() -> bool:
    """Whether this installation has a mail server (EMAIL_URL)."""
    return settings.EMAIL_BACKEND != NO_MAIL


def administrators() -> QuerySet[User]:
    """Everybody who can work in an office that sees every office."""
    allowed = User.objects.none()
    for scope in _overseeing():
        allowed = allowed | ModelBackend().with_perm(scope.permission)
    return allowed.order_by("pk")


def addresses() -> dict[str, list[str]]:
    """To whom alerts are sent by e-mail, by language."""
    found: dict[str, list[str]] = defaultdict(list)
    if settings.ALERT_EMAILS:
        found[languages.DEFAULT] += settings.ALERT_EMAILS
    for language, address in _wanting("by_email").exclude(email="").values_list("language", "email"):
        found[language].append(address)
    return dict(found)


def _wanting(channel: str) -> QuerySet[User]:
    unwilling = WhatsAppAlertChoice.objects.filter(**{channel: False}).values("user")
    return administrators().exclude(pk__in=unwilling)


def _overseeing() -> list[Scope]:
    return [scope for scope in scopes.all_scopes().values() if scope.sees_every_office]


def _office_of(person: User) -> Scope:
    """Where this person works, or the first office that they can look from."""
    overseeing = _overseeing()
    return next((scope for scope in overseeing if scope.office == person.role), overseeing[0])


# --- By WhatsApp


def post(at: datetime) -> list[WhatsAppNotification]:
    """Owe administrators a message of each open alert that they were not told of; the new messages."""
    untold = WhatsAppAlert.objects.open().filter(messaged_at=None)
    return [posted for alert in untold for posted in _post(alert, at)]


@transaction.atomic
def _post(alert: WhatsAppAlert, at: datetime) -> list[WhatsAppNotification]:
    if not WhatsAppAlert.objects.filter(pk=alert.pk, messaged_at=None).update(messaged_at=at):
        return []  # somebody else has told them
    posted = []
    for person in _wanting("by_whatsapp"):
        try:
            posted.append(_message(person, alert, f"alert:{alert.pk}:{person.pk}", at)[0])
        except ValueError as error:  # their number, or what somebody made of the template
            logger.error("%s cannot be told of the alert %s by WhatsApp: %s", person.pk, alert, error)
    return posted


def _message(person: User, alert: WhatsAppAlert | None, key: str, at: datetime) -> tuple[WhatsAppNotification, bool]:
    """What this person is told of the alert, or of none to try it out; with it, whether it is new.

    Raises ValueError with a sentence for people.
    """
    scope = _office_of(person)
    with translation.override(person.language), timezone.override(person.time_zone):
        text = alert_words.of(alert, scope).sentence if alert else _test_sentence()
        title = alert.get_kind_display() if alert else _("Test alert")
    draft = Draft(
        source_app=scope.office,
        template=default_templates.ALERT,
        params={"texte": text, "lien": _link(scope)},
        user=person,
        message_type=message_types.ALERT,
        category="alert",
        title=title,
        priority=1,
        idempotency_key=key,
    )
    return outbox.post(draft, at)


def due(at: datetime) -> QuerySet[WhatsAppNotification]:
    """The messages of alerts that should have left: for who delivers them without the workers."""
    return WhatsAppNotification.objects.due(at).filter(message_type=message_types.ALERT)


# --- By e-mail


def send_mails(at: datetime) -> int:
    """Write the e-mails that are owed, of what opened and of what is over; of how many alerts.

    To be called outside of a transaction. A server that does not answer is not asked again at this look.
    """
    if not can_mail():
        return 0
    owed = list(_owed(at))
    readers = addresses() if owed else {}
    if not readers:
        return 0
    sent = 0
    for alert in owed:
        if not _hold(alert, at):
            continue
        if not _mail(alert, readers, at):
            break
        sent += 1
    return sent


def _owed(at: datetime) -> AlertQuerySet:
    opened = Q(resolved_at=None, mailed_at=None)
    over = Q(resolved_at__gt=at - NEWS_FOR, end_mailed_at=None)
    return WhatsAppAlert.objects.filter(opened | over).order_by("opened_at")


def _hold(alert: WhatsAppAlert, at: datetime) -> bool:
    free = Q(claimed_until=None) | Q(claimed_until__lte=at)
    as_seen = WhatsAppAlert.objects.filter(
        free, pk=alert.pk, mailed_at=alert.mailed_at, end_mailed_at=alert.end_mailed_at
    )
    return bool(as_seen.update(claimed_until=at + HELD_FOR))


def _mail(alert: WhatsAppAlert, readers: Mapping[str, list[str]], at: datetime) -> bool:
    told = {"end_mailed_at": at} if alert.resolved_at else {"mailed_at": at}
    error = ""
    try:
        _write_to(readers, alert)
    except NOT_SENT as failure:
        logger.error("The alert %s could not be sent by e-mail: %s", alert, failure)
        error, told = f"{type(failure).__name__}: {failure}", {}
    WhatsAppAlert.objects.filter(pk=alert.pk).update(mail_error=error, claimed_until=None, **told)
    return not error


def _write_to(readers: Mapping[str, list[str]], alert: WhatsAppAlert) -> None:
    connection = mail.get_connection()
    connection.send_messages([_letter(language, to, alert, connection) for language, to in readers.items()])


def _letter(
    language: str, to: list[str], alert: WhatsAppAlert | None, connection: BaseEmailBackend
) -> mail.EmailMessage:
    """Readers do not see one another's addresses."""
    scope = _overseeing()[0]
    with translation.override(language):
        subject, lines = (_subject(alert), _lines(alert, scope)) if alert else (_("Test alert"), [_test_sentence()])
        body = "\n\n".join([*lines, _("All alerts: %(link)s") % {"link": _link(scope)}])
    return mail.EmailMessage(f"[TS Air Cargo] {subject}", body + "\n", bcc=to, connection=connection)


def _subject(alert: WhatsAppAlert) -> str:
    kind = alert.get_kind_display()
    return _("Over: %(what)s") % {"what": kind} if alert.resolved_at else str(kind)


def _lines(alert: WhatsAppAlert, scope: Scope) -> list[str]:
    words = alert_words.of(alert, scope)
    began = _("Since %(moment)s.") % {"moment": _moment(alert.opened_at)}
    if alert.resolved_at:
        over = _("It is over since %(moment)s.") % {"moment": _moment(alert.resolved_at)}
        return [over, f"{words.sentence} {began}"]
    link = [f"{settings.PUBLIC_BASE_URL}{words.link}"] if words.link else []
    return [f"{words.sentence} {began}", words.advice, *link]


def _moment(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{local:%Y-%m-%d %H:%M} (UTC{local.utcoffset().total_seconds() / 3600:+g})"  # type: ignore[union-attr]


def _link(scope: Scope) -> str:
    return f"{settings.PUBLIC_BASE_URL}{reverse(f'{scope.office}:whatsapp_alerts')}"


# --- To try it out


def _test_sentence() -> str:
    return _("This is only a test: alerts of the WhatsApp messages reach you this way.")


def post_test(person: User, request_id: uuid.UUID, at: datetime) -> tuple[WhatsAppNotification, bool]:
    """Owe this person a test alert by WhatsApp; with it, whether this request is new.

    Raises ValueError with a sentence for people.
    """
    return _message(person, None, f"alert-test:{person.pk}:{request_id}", at)


def mail_test(person: User) -> str:
    """Send this person a test alert by e-mail, now; why it could not be sent, or "".

    To be called outside of a transaction.
    """
    try:
        connection = mail.get_connection()
        connection.send_messages([_letter(person.language, [person.email], None, connection)])
    except NOT_SENT as failure:
        return f"{type(failure).__name__}: {failure}"
    return ""
