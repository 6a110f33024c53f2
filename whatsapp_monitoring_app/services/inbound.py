"""What clients write to us: kept, and obeyed when it is STOP or START."""

import unicodedata
from datetime import datetime

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import phones
from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import ErrorClass, WhatsAppInbound, WhatsAppNotification, WhatsAppOptOut
from whatsapp_monitoring_app.providers.base import InboundEvent, ProviderError
from whatsapp_monitoring_app.services import cancellation, message_types, outbox

STOP_WORDS = {"stop", "arret", "arreter", "unsubscribe", "停", "停止", "退订"}
START_WORDS = {"start", "reprendre", "reprise", "开始", "恢复"}


@transaction.atomic
def take(provider: str, event: InboundEvent, at: datetime) -> WhatsAppNotification | None:
    """Keep what somebody wrote, once however often it comes; the confirmation to send when it was STOP or START."""
    message, created = WhatsAppInbound.objects.get_or_create(
        provider_message_id=event.provider_message_id,
        defaults={
            "provider": provider,
            "phone_number": event.phone_number,
            "profile_name": event.profile_name,
            "text": event.text,
            "occurred_at": event.occurred_at,
            "received_at": at,
        },
    )
    if not created or not message.phone_number or _is_overtaken(message):
        return None
    word = _plain(event.text)
    if word in STOP_WORDS:
        return _stop(message, at)
    if word in START_WORDS:
        return _start(message, at)
    return None


def opt_out(phone_number: str, reason: str, at: datetime) -> bool:
    """Write to this number only what is essential, from now on; False when that is so already."""
    _entry, created = WhatsAppOptOut.objects.get_or_create(
        phone_number=phone_number, defaults={"reason": reason[:200], "created_at": at}
    )
    queued = WhatsAppNotification.objects.filter(phone_number=phone_number).exclude(
        message_type__in=message_types.ESSENTIAL_TYPES
    )
    cancellation.cancel(queued, cancellation.Reason.OPT_OUT, at)
    return created


def note_opt_out(notification: WhatsAppNotification, error: ProviderError | None, at: datetime) -> None:
    """Remember it when the provider says that the person has stopped our messages there."""
    if error and error.error_class is ErrorClass.OPT_OUT:
        opt_out(notification.phone_number, error.message, at)


def _is_overtaken(message: WhatsAppInbound) -> bool:
    """Whether the person has written STOP or START since: providers deliver in any order."""
    later = WhatsAppInbound.objects.filter(phone_number=message.phone_number, occurred_at__gt=message.occurred_at)
    return any(_plain(text) in STOP_WORDS | START_WORDS for text in later.values_list("text", flat=True))


def _stop(message: WhatsAppInbound, at: datetime) -> WhatsAppNotification | None:
    if not opt_out(message.phone_number, message.text, at):
        return None
    with translation.override(_language(message.phone_number)):
        text = _("You will get no more news of your parcels on WhatsApp. Write REPRENDRE to have them again.")
    return _confirm(message, text, at)


def _start(message: WhatsAppInbound, at: datetime) -> WhatsAppNotification | None:
    deleted, _rows = WhatsAppOptOut.objects.filter(phone_number=message.phone_number).delete()
    if not deleted:
        return None
    with translation.override(_language(message.phone_number)):
        text = _("You will have news of your parcels on WhatsApp again. Write STOP to end them.")
    return _confirm(message, text, at)


def _confirm(message: WhatsAppInbound, text: str, at: datetime) -> WhatsAppNotification | None:
    last = WhatsAppNotification.objects.filter(phone_number=message.phone_number).first()
    draft = outbox.Draft(
        message_content=text,
        source_app=last.source_app if last else _any_office(),
        user=User.objects.filter(telephone=message.phone_number).first(),
        phone_number=message.phone_number,
        message_type="opt_out_confirmation",
        category="preferences",
        title=text.partition(".")[0][: outbox.LIMITS["title"]],
        priority=2,
        idempotency_key=f"opt_out:{message.provider_message_id}",
    )
    try:
        notification, _created = outbox.post(draft, at)
    except phones.InvalidTelephone:
        return None  # an old form of a number: nobody to confirm it to, and obeyed all the same
    return notification


def _any_office() -> str:
    return next(iter(scopes.all_scopes()))


def _language(phone_number: str) -> str:
    user = User.objects.filter(telephone=phone_number).first()
    return user.language if user else "fr"


def _plain(text: str) -> str:
    """The text's words without case, accents, punctuation and emoji: "« Arrêt ! »" is "arret"."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum() or letter.isspace()).strip()
