"""The providers' error codes as rows: classified by the providers' tables, explained by administrators.

A code that no table knows is classified by an administrator, and then counts as of that class.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Status,
    WhatsAppErrorCode,
    WhatsAppNotification,
    WhatsAppSender,
)
from whatsapp_monitoring_app.providers.base import Outcome, ProviderError, Refused

logger = logging.getLogger(__name__)

MONTH = timedelta(days=30)
# So many messages are looked at, at most, to say how often each code is seen.
COUNTED_AT_MOST = 20_000
# So many codes are listed, at most: a gateway may make up its own.
SHOWN_AT_MOST = 1000
# The administrators' own words.
WORDS = tuple(f"{part}_{language}" for language in ("fr", "en", "zh_hans") for part in ("meaning", "advice"))
# Found out by us, never by a code.
OURS = {
    ErrorClass.UNREACHABLE,
    ErrorClass.NOT_CONFIGURED,
    ErrorClass.DAILY_LIMIT,
    ErrorClass.UNCONFIRMED,
    ErrorClass.EXPIRED,
}


def provision() -> None:
    """Give every code of every provider its row, with the class of the provider's table; texts stay as they are."""
    for provider in providers.all_providers():
        rows = [
            WhatsAppErrorCode(provider=provider.code, code=code, error_class=error_class)
            for code, error_class in provider.error_codes.items()
        ]
        WhatsAppErrorCode.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["provider", "code"],
            update_fields=["error_class", "is_classified"],
        )


def entry(notification: WhatsAppNotification) -> WhatsAppErrorCode | None:
    """What the catalogue knows of the notification's error code."""
    return entries([notification]).get(notification.pk)


def entries(notifications: Iterable[WhatsAppNotification]) -> dict[UUID, WhatsAppErrorCode]:
    """What the catalogue knows of the error codes of these notifications, by their codes, in one query."""
    keys = {notification.pk: _key(notification) for notification in notifications if notification.error_code}
    if not keys:
        return {}
    rows = WhatsAppErrorCode.objects.filter(code__in={code for _provider, code in keys.values()})
    known = {(row.provider, row.code): row for row in rows}
    return {pk: known[key] for pk, key in keys.items() if key in known}


def _key(notification: WhatsAppNotification) -> tuple[str, str]:
    provider = notification.sender.provider if notification.sender else WhatsAppSender.Provider.CLOUD_API
    return str(provider), providers.get(provider).catalogue_code(notification.error_code)


def is_programs(code: WhatsAppErrorCode) -> bool:
    """Whether the program classifies this code, so that nobody else has to."""
    return any(
        provider.code == code.provider and code.code in provider.error_codes for provider in providers.all_providers()
    )


def classified(provider: str, error: ProviderError) -> ProviderError:
    """The error with the class that administrators gave its code, where no table of ours knows it."""
    if error.is_classified:
        return error
    known = WhatsAppErrorCode.objects.filter(provider=provider, code=error.code, is_classified=True).first()
    return replace(error, error_class=ErrorClass(known.error_class), is_classified=True) if known else error


def classified_outcome(provider: str, outcome: Outcome) -> Outcome:
    """The same of what came of a call."""
    return Refused(classified(provider, outcome.error)) if isinstance(outcome, Refused) else outcome


def note_unclassified(provider: str, error: ProviderError | None, at: datetime) -> None:
    """Remember a code that nobody has classified, so that somebody does."""
    if error is None or error.is_classified:
        return
    logger.error("The error code %s of %s is not classified", error.code, provider)
    WhatsAppErrorCode.objects.update_or_create(
        provider=provider,
        code=error.code,
        defaults={"last_seen_at": at, "example": error.message},
        create_defaults={
            "error_class": error.error_class,
            "is_classified": False,
            "last_seen_at": at,
            "example": error.message,
        },
    )


def counts(at: datetime) -> Counter[tuple[str, str]]:
    """How many of the last month's messages ended or wait with each code, by provider and code, in one query.

    Of the newest COUNTED_AT_MOST of them. What was accepted since has no error any more.
    """
    # The statuses that the index `notification_to_handle` leaves out have no error.
    troubled = ~Q(status__in=[Status.SENT, Status.DELIVERED, Status.READ]) & ~Q(error_code="")
    newest = WhatsAppNotification.objects.filter(troubled, created_at__gte=at - MONTH)[:COUNTED_AT_MOST]
    found = WhatsAppNotification.objects.filter(pk__in=newest.values("pk")).order_by()
    rows = found.values_list("sender__provider", "error_code").annotate(count=Count("pk"))
    seen: Counter[tuple[str, str]] = Counter()
    for provider, code, count in rows:
        dialect = providers.get(provider or WhatsAppSender.Provider.CLOUD_API)
        seen[dialect.code, dialect.catalogue_code(code)] += count
    return seen


@dataclass(frozen=True)
class Search:
    """Which codes are looked for: `cause` is an error class, `only` one of “seen”, “unclassified” and “edited”."""

    q: str = ""
    provider: str = ""
    cause: str = ""
    only: str = ""


@dataclass(frozen=True)
class Line:
    """One code of the list, and how many of the last month's messages ended or wait with it."""

    code: WhatsAppErrorCode
    count: int


def find(search: Search, at: datetime) -> list[Line]:
    """The codes that are looked for: those that nobody has classified first, then those that are seen most."""
    seen = counts(at)
    lines = [Line(code, seen[code.provider, code.code]) for code in _matching(search)[:SHOWN_AT_MOST]]
    if search.only == "seen":
        lines = [line for line in lines if line.count]
    return sorted(lines, key=lambda line: (line.code.is_classified, -line.count, line.code.provider, line.code.code))


def _matching(search: Search) -> QuerySet[WhatsAppErrorCode]:
    named = Q()
    for name in ("code", "example", *WORDS):
        named |= Q(**{f"{name}__icontains": search.q})
    exact = {"provider": search.provider, "error_class": search.cause}
    wanted = named & Q(**{name: value for name, value in exact.items() if value})
    if search.only == "unclassified":
        wanted &= Q(is_classified=False)
    if search.only == "edited":
        wanted &= ~Q(**dict.fromkeys(WORDS, ""))
    return WhatsAppErrorCode.objects.filter(wanted).order_by("is_classified", "provider", "code")
