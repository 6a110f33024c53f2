"""What clients write to us: kept, and obeyed when it is STOP or START, written or chosen in WhatsApp's settings."""

import logging
import unicodedata
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    ErrorClass,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppSender,
)
from whatsapp_monitoring_app.providers.base import InboundEvent, PreferenceEvent, ProviderError
from whatsapp_monitoring_app.services import cancellation, drafts, message_types, outbox, turns

logger = logging.getLogger(__name__)

STOP_WORDS = {"stop", "arret", "arreter", "unsubscribe", "停", "停止", "退订"}
START_WORDS = {"start", "reprendre", "reprise", "开始", "恢复"}

STOPPED = _("You will get no more news of your parcels on WhatsApp. Write REPRENDRE to have them again.")
STARTED = _("You will have news of your parcels on WhatsApp again. Write STOP to end them.")


@transaction.atomic
def take(provider: str, event: InboundEvent, at: datetime) -> WhatsAppNotification | None:
    """Keep what somebody wrote, once however often it comes; the confirmation to send when it was STOP or START."""
    message = _keep(provider, event, at)
    if message is None or not message.phone_number or _is_overtaken(message):
        return None
    word = _plain(event.text)
    if word in STOP_WORDS:
        return _stop(message, at)
    if word in START_WORDS:
        return _start(message, at)
    return None


@transaction.atomic
def take_preference(provider: str, event: PreferenceEvent, at: datetime) -> None:
    """Keep and obey what somebody chose in the provider's settings, once however often it comes.

    Nothing of ours confirms it: the provider has. What the person wrote or chose later wins.
    """
    choice = WhatsAppInbound.Choice.RESUME if event.wants_messages else WhatsAppInbound.Choice.STOP
    chosen = InboundEvent(
        provider_message_id=event.provider_message_id,
        phone_number=event.phone_number,
        text=choice,
        occurred_at=event.occurred_at,
        profile_name=event.profile_name,
        account_id=event.account_id,
    )
    message = _keep(provider, chosen, at)
    if message is None or _is_overtaken(message):
        return
    numbers = _numbers_of(message)
    if event.wants_messages:
        # Not one that was noted afterwards: this event may be late.
        WhatsAppOptOut.objects.filter(phone_number__in=numbers, created_at__lte=event.occurred_at).delete()
    else:
        _opt_out_all(numbers, event.reason, at, since=event.occurred_at)


def opt_out(phone_number: str, reason: str, at: datetime, since: datetime | None = None) -> bool:
    """Write to this number only what is essential, from now on; False when that is so already.

    `since` is when the person said so, if that is known.
    """
    _entry, created = WhatsAppOptOut.objects.get_or_create(
        phone_number=phone_number, defaults={"reason": reason[:200], "created_at": since or at}
    )
    queued = WhatsAppNotification.objects.filter(phone_number=phone_number).exclude(
        message_type__in=message_types.ESSENTIAL_TYPES
    )
    cancellation.cancel(queued, cancellation.Reason.OPT_OUT, at)
    return created


def opt_in(phone_number: str) -> bool:
    """Write to this number as to any other again; False when that is so already."""
    deleted, _rows = WhatsAppOptOut.objects.filter(phone_number=phone_number).delete()
    return bool(deleted)


def note_opt_out(notification: WhatsAppNotification, error: ProviderError | None, at: datetime) -> None:
    """Remember it when the provider says that the person has stopped our messages there."""
    if error and error.error_class is ErrorClass.OPT_OUT and not settings.WHATSAPP_TEST_PHONE:
        opt_out(notification.phone_number, error.message, at)


def _keep(provider: str, event: InboundEvent, at: datetime) -> WhatsAppInbound | None:
    """The message as a new row; None when it was there already."""
    # One person's messages one at a time: two workers with their STOP and their START must see each other's.
    turns.wait_for(f"inbound:{event.phone_number}")
    message, created = WhatsAppInbound.objects.get_or_create(
        provider_message_id=event.provider_message_id,
        defaults={
            "provider": provider,
            "account_id": event.account_id,
            "phone_number": event.phone_number,
            "profile_name": event.profile_name,
            "text": event.text,
            "occurred_at": event.occurred_at or at,
            "received_at": at,
        },
    )
    return message if created else None


def _is_overtaken(message: WhatsAppInbound) -> bool:
    """Whether the person has said STOP or START since: providers deliver in any order."""
    later = WhatsAppInbound.objects.filter(phone_number=message.phone_number, occurred_at__gt=message.occurred_at)
    return any(one.is_choice or _plain(one.text) in STOP_WORDS | START_WORDS for one in later)


def _numbers_of(message: WhatsAppInbound) -> list[str]:
    """The number that wrote, and those of ours that WhatsApp knows by it: its digits may differ from what we write to.

    In one order for everybody, so that no two wait for each other.
    """
    known = WhatsAppNotification.objects.known_as(message.phone_number.removeprefix("+"))
    return sorted({message.phone_number, *known.order_by().values_list("phone_number", flat=True).distinct()})


def _opt_out_all(numbers: list[str], reason: str, at: datetime, since: datetime) -> bool:
    """Opt each of them out; whether one was not yet."""
    are_new = [opt_out(number, reason, at, since) for number in numbers]
    return any(are_new)


def _stop(message: WhatsAppInbound, at: datetime) -> WhatsAppNotification | None:
    numbers = _numbers_of(message)
    if not _opt_out_all(numbers, message.text, at, since=message.occurred_at):
        return None
    return _confirm(message, numbers, STOPPED, at)


def _start(message: WhatsAppInbound, at: datetime) -> WhatsAppNotification | None:
    numbers = _numbers_of(message)
    # Not one that was noted afterwards: this message may be late.
    refusals = WhatsAppOptOut.objects.filter(phone_number__in=numbers, created_at__lte=message.occurred_at)
    deleted, _rows = refusals.delete()
    return _confirm(message, numbers, STARTED, at) if deleted else None


def _confirm(
    message: WhatsAppInbound, numbers: list[str], sentence: Promise, at: datetime
) -> WhatsAppNotification | None:
    """Owe the person this sentence, once, at the number that we wrote to last."""
    last = WhatsAppNotification.objects.filter(phone_number__in=numbers).first()
    phone_number = last.phone_number if last else message.phone_number
    user = User.objects.filter(telephone=phone_number).first()
    with translation.override(user.language if user else "fr"):
        text = str(sentence)
    draft = drafts.Draft(
        message_content=text,
        # An office that is no longer installed says nothing any more.
        source_app=last.source_app if last and last.source_app in scopes.all_scopes() else _any_office(),
        user=user,
        phone_number=phone_number,
        message_type="opt_out_confirmation",
        category="preferences",
        title=text.partition(".")[0][: drafts.LIMITS["title"]],
        priority=2,
        sender=_code_of_sender(message),
        idempotency_key=f"opt_out:{message.provider_message_id}",
    )
    try:
        notification, _created = outbox.post(draft, at)
    except ValueError:  # an old form of a number, for example: nobody to confirm it to, and obeyed all the same
        logger.warning("What message %s asks is obeyed, and cannot be confirmed", message.pk)
        return None
    return notification


def _code_of_sender(message: WhatsAppInbound) -> str:
    """The sender whose number was written to: the answer comes from there. "" when none of ours is known by it."""
    if not message.account_id:
        return ""
    senders = WhatsAppSender.objects.defer("token").filter(provider=message.provider, is_active=True)
    return next((sender.code for sender in senders if sender.account == message.account_id), "")


def _any_office() -> str:
    return next(iter(scopes.all_scopes()))


def _plain(text: str) -> str:
    """The text's words without case, accents, punctuation and emoji: "« Arrêt ! »" is "arret"."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum() or letter.isspace()).strip()
