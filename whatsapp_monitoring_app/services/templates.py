"""What the providers say of our templates: asked for, told by webhooks, or said in a refusal."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import ErrorClass, WhatsAppNotification, WhatsAppProviderTemplate, WhatsAppSender
from whatsapp_monitoring_app.models.notifications import NO_ERROR
from whatsapp_monitoring_app.providers import base, transport
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest, ProviderError, TemplateEvent, TemplateFacts
from whatsapp_monitoring_app.services import secrecy

logger = logging.getLogger(__name__)

Send = Callable[[HttpRequest], HttpAnswer]

# A refusal is believed for so long; then one message finds out.
STOP_TIME = timedelta(hours=1)
# A provider that always has one more page would hold us for ever.
PAGES_AT_MOST = 100


@dataclass(frozen=True)
class Synced:
    """What became of the synchronisation of one business account; `error` is "" when it went well."""

    business_account_id: str
    count: int = 0
    error: str = ""


def sync_all(at: datetime, send: Send = transport.send) -> list[Synced]:
    """Ask every business account for its templates; one that does not answer keeps what was known of it."""
    return [_sync_safely(sender, at, send) for sender in _one_sender_per_account()]


def _sync_safely(sender: WhatsAppSender, at: datetime, send: Send) -> Synced:
    try:
        return sync(sender, at, send)
    except Exception:  # one odd account must not keep the others from being synchronised
        logger.exception("The templates of %s could not be synchronised", sender.business_account)
        return Synced(sender.business_account, error="unexpected error")


def _one_sender_per_account() -> Iterator[WhatsAppSender]:
    seen = set()
    for sender in WhatsAppSender.objects.filter(is_active=True):
        key = (sender.provider, sender.business_account)
        if key not in seen and _request(sender, "") is not None:
            seen.add(key)
            yield sender


def can_sync(sender: WhatsAppSender) -> bool:
    """Whether its provider tells of templates, and the sender knows enough to ask."""
    return _request(sender, "") is not None


def _request(sender: WhatsAppSender, after: str) -> HttpRequest | None:
    if sender.credentials is None or not sender.business_account:
        return None
    account = base.Account(*sender.credentials, business_account_id=sender.business_account)
    return providers.get(sender.provider).templates_request(account, after)


def sync(sender: WhatsAppSender, at: datetime, send: Send = transport.send) -> Synced:
    """Learn the templates of this sender's business account. To be called outside of a transaction."""
    try:
        facts = _ask(sender, send)
    except (transport.NotSent, transport.NoAnswer, _Refused) as error:
        logger.warning("The templates of %s could not be synchronised: %s", sender.business_account, error)
        return Synced(sender.business_account, error=str(error) or type(error).__name__)
    if not facts and WhatsAppProviderTemplate.objects.of(sender).filter(synced_at__isnull=False).exists():
        # A token that may not see them, most likely. Taken at its word, nothing could be said any more.
        return Synced(sender.business_account, error="The provider listed no template; what was known is kept.")
    _keep(sender, facts, at)
    return Synced(sender.business_account, len(facts))


class _Refused(Exception):
    """The provider does not tell. The message holds its own words."""


def _ask(sender: WhatsAppSender, send: Send) -> list[TemplateFacts]:
    facts: list[TemplateFacts] = []
    after = ""
    for _ in range(PAGES_AT_MOST):
        request = _request(sender, after)
        if request is None:
            raise _Refused("The sender has no business account, or no token.")
        answer = secrecy.hide_in_answer(send(request), secrecy.of_account(sender))
        page = providers.get(sender.provider).read_templates(answer)
        if isinstance(page, ProviderError):
            raise _Refused(f"{page.code} {page.message}".strip())
        facts.extend(page.templates)
        after = page.after
        if not after:
            return facts
    raise _Refused("The list of templates does not end.")


@transaction.atomic
def _keep(sender: WhatsAppSender, facts: Iterable[TemplateFacts], at: datetime) -> None:
    of_account = WhatsAppProviderTemplate.objects.of(sender)
    # What was told while the list was on its way is newer than the list.
    newer = set(of_account.filter(told_at__gte=at).values_list("name", "language"))
    listed = {(one.name, one.language): one for one in facts}
    rows = [_row(sender, one, at) for place, one in listed.items() if place not in newer]
    WhatsAppProviderTemplate.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["provider", "business_account_id", "name", "language"],
        update_fields=FACTS,
    )
    older = of_account.exclude(told_at__gte=at)
    older.exclude(synced_at=at).update(status=WhatsAppProviderTemplate.GONE, synced_at=None)
    WhatsAppSender.objects.filter(pk__in=_senders_of(sender.provider, sender.business_account)).update(
        templates_synced_at=at
    )
    # What the provider says of all its templates is newer than what it said in a refusal.
    older.filter(status=WhatsAppProviderTemplate.APPROVED).update(stopped_until=None, stop_reason="")
    release(at)


FACTS = [
    "status", "category", "quality", "reason", "body_variables", "has_named_variables", "header", "header_variables",
    "url_buttons", "synced_at",
]  # fmt: skip


def _row(sender: WhatsAppSender, facts: TemplateFacts, at: datetime) -> WhatsAppProviderTemplate:
    return WhatsAppProviderTemplate(
        provider=sender.provider,
        business_account_id=sender.template_account,
        name=facts.name[:512],
        language=facts.language[:20],
        status=facts.status[:40],
        category=facts.category[:40],
        quality=facts.quality[:40],
        reason=facts.reason,
        body_variables=list(facts.body_variables),
        has_named_variables=facts.has_named_variables,
        header=facts.header[:20],
        header_variables=list(facts.header_variables),
        url_buttons=list(facts.url_buttons),
        synced_at=at,
    )


def _senders_of(provider: str, business_account_id: str) -> list[int]:
    """The senders that speak through this business account, one of the environment's included."""
    senders = WhatsAppSender.objects.defer("token").filter(provider=provider)
    return [sender.pk for sender in senders if sender.business_account == business_account_id]


@transaction.atomic
def take(provider: str, event: TemplateEvent, at: datetime) -> None:
    """Keep what the provider tells of one template. One that is approved lets go what waited for it."""
    told = {"status": event.status, "category": event.category, "quality": event.quality}
    changes: dict[str, Any] = {name: word[:40] for name, word in told.items() if word} | {"told_at": at}
    if event.status or event.reason:
        changes["reason"] = event.reason
    template, _created = WhatsAppProviderTemplate.objects.update_or_create(
        provider=provider,
        business_account_id=event.business_account_id[:80],
        name=event.name[:512],
        language=event.language[:20],
        defaults=changes,
    )
    if event.status == WhatsAppProviderTemplate.APPROVED:
        # It may have been changed before it was approved: its parts are not known before it is listed again.
        known = WhatsAppProviderTemplate.objects.filter(pk=template.pk)
        known.update(stopped_until=None, stop_reason="", synced_at=None)
        release(at)
    elif event.status:
        logger.error("The template %s is %s at the provider. %s", template, event.status, event.reason)


def note_stop(notification: WhatsAppNotification, error: ProviderError | None, at: datetime) -> None:
    """Hold the other messages of a template that the provider refuses as such, said at once or by a receipt."""
    if error is None or error.error_class is not ErrorClass.TEMPLATE_STOP:
        return
    attempt = notification.attempts.select_related("sender").order_by("-number").first()
    if attempt is None or attempt.sender is None or not attempt.template_name:
        return
    logger.error("The template %s cannot be used: %s %s", attempt.template_name, error.code, error.message)
    WhatsAppProviderTemplate.objects.update_or_create(
        provider=attempt.sender.provider,
        business_account_id=attempt.sender.template_account,
        name=attempt.template_name,
        language=attempt.template_language,
        defaults={
            "stopped_until": at + STOP_TIME,
            "stop_reason": f"{error.code} {error.message}".strip(),
            "told_at": at,
        },
    )


def resume(template: WhatsAppProviderTemplate, at: datetime) -> None:
    """Somebody has mended it: try it again, whatever was told of it, and let what waited for it be due now."""
    known = WhatsAppProviderTemplate.objects.filter(pk=template.pk)
    known.update(stopped_until=None, stop_reason="", told_at=at)
    known.exclude(status=WhatsAppProviderTemplate.APPROVED).update(status=WhatsAppProviderTemplate.UNHEARD)
    release(at)


def release(at: datetime) -> int:
    """Let what waits for a template be due now; how many. Those whose template still cannot be used wait again."""
    waiting = WhatsAppNotification.objects.waiting_for_template()
    return waiting.filter(next_attempt_at__gt=at).update(next_attempt_at=at, rung_at=None, **NO_ERROR)
