"""The list of those whom a person of ours has to call: one entry for each telephone, the most urgent first."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Exists, ExpressionWrapper, Min, OuterRef, Q, Value
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from whatsapp_monitoring_app.models import (
    CancelReason,
    ErrorClass,
    Status,
    WhatsAppAddressee,
    WhatsAppCall,
    WhatsAppNotification,
    WhatsAppTemplate,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.models.announcements import AddresseeQuerySet
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.models.subjects import known_better
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import calls, explanations
from whatsapp_monitoring_app.services.calls import Errands
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS

# The menu says how many up to here, and “more” beyond.
COUNTED_AT_MOST = 99
LOOKED_AT = 150


class Kind(models.TextChoices):
    """Why somebody is on the list."""

    FAILED = "failed", _("Failed")
    DOUBTFUL = "doubtful", _("Doubtful")
    TO_CORRECT = "to_correct", _("Number to correct")
    UNWANTED = "unwanted", _("Does without messages")
    NO_MESSAGE = "no_message", _("No message")


@dataclass(frozen=True)
class Search:
    """Who is looked for: those of one kind (see Kind), those whose name or number contains `text`."""

    kind: str = ""
    text: str = ""


@dataclass(frozen=True)
class Entry:
    """Somebody to call about the messages of one office, as the list is sorted."""

    phone_number: str
    office: str
    priority: int
    since: datetime


@dataclass(frozen=True)
class Errand:
    """One thing that a person should know. `translation` is the same in the reader's language, if that is another."""

    title: str
    text: str
    language: str
    translation: str
    translation_language: str
    office: str
    since: datetime
    reason: str | Promise
    notification: WhatsAppNotification | None = None
    addressee: WhatsAppAddressee | None = None


@dataclass(frozen=True)
class Person:
    """Somebody to call, what they should know (the newest first), and who has tried."""

    phone_number: str
    users: Sequence[User]
    errands: Sequence[Errand]
    is_stranger: bool
    tries: Sequence[WhatsAppCall]

    @property
    def user(self) -> User | None:
        return self.users[0] if self.users else None

    @property
    def newest(self) -> Errand:
        return self.errands[0]

    @property
    def since(self) -> datetime:
        """How long they have been waiting to hear of it."""
        return min(errand.since for errand in self.errands)

    @property
    def other_number(self) -> str:
        """The person's number of today, where the message went to another one."""
        today = self.user.telephone if self.user else self.phone_number
        return "" if today == self.phone_number else today


def _stranger(number: str) -> Exists:
    return Exists(WhatsAppWrongNumber.objects.filter(phone_number=OuterRef(number)))


def _of_kind(notifications: NotificationQuerySet, kind: str) -> NotificationQuerySet:
    if kind == Kind.TO_CORRECT:
        return notifications.filter(_stranger("phone_number"))
    wanted = {
        Kind.FAILED: Q(status=Status.FAILED) | Q(cancel_reason=CancelReason.WRONG_NUMBER),
        Kind.DOUBTFUL: Q(status=Status.UNCONFIRMED),
        Kind.UNWANTED: Q(cancel_reason=CancelReason.OPT_OUT),
    }
    if kind not in wanted:
        return notifications.none() if kind == Kind.NO_MESSAGE else notifications
    return notifications.filter(wanted[Kind(kind)]).exclude(_stranger("phone_number"))


def _named(text: str, number: str) -> Q:
    """Each word in the first name or in the last one; or the telephone contains it."""
    named = Q()
    for word in text.split():
        named &= Q(user__first_name__icontains=word) | Q(user__last_name__icontains=word)
    return named | Q(**{f"{number}__contains": text.replace(" ", "")})


def find(scope: Scope, search: Search, at: datetime) -> Errands:
    """What this office's people have to call about."""
    notifications = calls.to_call(WhatsAppNotification.objects.visible_to(scope), at)
    addressees = calls.without_message(scope)
    notifications = _of_kind(notifications, search.kind)
    if search.kind not in ("", Kind.NO_MESSAGE):
        addressees = addressees.none()
    if search.text:
        notifications = notifications.filter(_named(search.text, "phone_number"))
        addressees = addressees.filter(_named(search.text, "user__telephone"))
    return Errands(notifications, addressees)


def at_number(scope: Scope, phone_number: str, at: datetime) -> Errands:
    """What this office's people have to call this number about."""
    found = find(scope, Search(), at)
    return Errands(
        found.notifications.filter(phone_number=phone_number), found.addressees.filter(user__telephone=phone_number)
    )


class AtLeast(int):
    """A count that may be too low, because not everything was looked at."""


def count(scope: Scope, at: datetime) -> int:
    """How many telephones are on the list, in one query; at most one more than COUNTED_AT_MOST.

    Every page asks. What each person knows takes time to find out, so only the newest LOOKED_AT are asked about; where
    there are more, the answer is AtLeast.
    """
    newest = calls.given_up(WhatsAppNotification.objects.visible_to(scope), at).order_by("-created_at", "-pk")
    is_known = ExpressionWrapper(known_better(), output_field=models.BooleanField())
    by_message = newest.annotate(is_known=is_known).values_list("phone_number", "is_known")[: LOOKED_AT + 1]
    untold = calls.without_message(scope).annotate(is_known=Value(False)).order_by()
    by_addressee = untold.values_list("user__telephone", "is_known")[: LOOKED_AT + 1]
    rows: list[Any] = list(by_message.union(by_addressee, all=True))
    found = min(len({telephone for telephone, is_known in rows if not is_known}), COUNTED_AT_MOST + 1)
    return AtLeast(found) if len(rows) > LOOKED_AT else found


def entries(errands: Errands) -> list[Entry]:
    """One entry for each telephone and office, or two where messages are owed and others could not be made."""
    by_message = errands.notifications.order_by().values_list("phone_number", "source_app")
    by_addressee = errands.addressees.order_by().values_list("user__telephone", "announcement__source_app")
    by_message = by_message.annotate(urgency=Min("priority"), since=Min("created_at"))
    by_addressee = by_addressee.annotate(urgency=Min("announcement__priority"), since=Min("announcement__created_at"))
    rows: Iterable[Any] = by_message.union(by_addressee, all=True)
    return [Entry(*row) for row in rows]


def numbers(found: Iterable[Entry], tried: Collection[str] = ()) -> list[str]:
    """Each telephone once: the most urgent first, then who waits longest; those who were `tried` come last."""
    best: dict[str, tuple[bool, int, datetime]] = {}
    for entry in found:
        place = (entry.phone_number in tried, entry.priority, entry.since)
        _tried, priority, since = best.get(entry.phone_number, place)
        best[entry.phone_number] = (place[0], min(priority, entry.priority), min(since, entry.since))
    return sorted(best, key=lambda number: (*best[number], number))


def tried_since(scope: Scope, moment: datetime) -> set[str]:
    """Whom somebody called in vain since this moment."""
    tried = WhatsAppCall.objects.visible_to(scope).in_vain().filter(at__gte=moment)
    return set(tried.order_by().values_list("phone_number", flat=True).distinct())


def people(
    scope: Scope, phone_numbers: Sequence[str], at: datetime, user_relations: Sequence[str] = ()
) -> list[Person]:
    """The people at these telephones, in this order; a few queries, however many they are.

    `user_relations` are what an office's own templates read of a user.
    """
    found = find(scope, Search(), at)
    users = ("user", *(f"user__{name}" for name in user_relations))
    notifications = found.notifications.filter(phone_number__in=phone_numbers)
    addressees = found.addressees.filter(user__telephone__in=phone_numbers)
    errands = [
        *_of_messages(notifications.select_related(*users, "sender", "template")),
        *_of_addressees(addressees.select_related(*users, "announcement")),
    ]
    return _grouped(phone_numbers, errands, scope)


def _grouped(phone_numbers: Sequence[str], errands: Iterable[Errand], scope: Scope) -> list[Person]:
    by_number: dict[str, list[Errand]] = defaultdict(list)
    for errand in sorted(errands, key=lambda errand: errand.since, reverse=True):
        by_number[_number_of(errand)].append(errand)
    strangers = set(
        WhatsAppWrongNumber.objects.filter(phone_number__in=phone_numbers).values_list("phone_number", flat=True)
    )
    tries: dict[str, list[WhatsAppCall]] = defaultdict(list)
    made = WhatsAppCall.objects.visible_to(scope).in_vain().filter(phone_number__in=phone_numbers)
    for call in made.select_related("person"):
        tries[call.phone_number].append(call)
    return [
        _person(number, by_number[number], number in strangers, tries[number])
        for number in phone_numbers
        if by_number[number]
    ]


def _person(number: str, errands: list[Errand], is_stranger: bool, tries: list[WhatsAppCall]) -> Person:
    since = min(errand.since for errand in errands)
    users = dict.fromkeys(user for errand in errands if (user := _user_of(errand)))
    # What was tried before concerned something else.
    return Person(number, list(users), errands, is_stranger, [call for call in tries if call.at >= since])


def _number_of(errand: Errand) -> str:
    if errand.notification:
        return errand.notification.phone_number
    assert errand.addressee
    return errand.addressee.user.telephone


def _user_of(errand: Errand) -> User | None:
    of: Any = errand.notification or errand.addressee
    return of.user if of else None


def _of_messages(notifications: Collection[WhatsAppNotification]) -> Iterator[Errand]:
    explained = explanations.explain_all(notifications)
    for one in notifications:
        translation, language = _in_my_language(one.template, one.template_params, one.language)
        yield Errand(
            one.title or one.message_type,
            one.message_content,
            one.language,
            translation,
            language,
            one.source_app,
            one.created_at,
            explained[one.pk].meaning if one.pk in explained else _why_cancelled(one),
            notification=one,
        )


def _why_cancelled(notification: WhatsAppNotification) -> str | Promise:
    if notification.cancel_reason == CancelReason.OPT_OUT:
        return EXPLANATIONS[ErrorClass.OPT_OUT].meaning
    return notification.get_cancel_reason_display()


def _of_addressees(addressees: AddresseeQuerySet) -> Iterator[Errand]:
    found = list(addressees)
    codes = {one.template for one in found}
    templates = {template.code: template for template in WhatsAppTemplate.objects.filter(code__in=codes) if codes}
    for one in found:
        template = templates.get(one.template)
        language = template.languages(one.user.language)[0] if template else one.user.language
        translation, other = _in_my_language(template, one.params, language)
        yield Errand(
            one.announcement.title,
            _filled_in(template, one.params, language) or one.announcement.title,
            language,
            translation,
            other,
            one.announcement.source_app,
            one.announcement.created_at,
            one.obstacle or Kind.NO_MESSAGE.label,
            addressee=one,
        )


def _in_my_language(template: WhatsAppTemplate | None, params: Any, language: str) -> tuple[str, str]:
    """The template's text in the reader's language, and that language; both "" where it would say the same."""
    mine = template.languages(get_language() or "")[0] if template else language
    text = "" if mine == language else _filled_in(template, params, mine)
    return (text, mine) if text else ("", "")


def _filled_in(template: WhatsAppTemplate | None, params: Any, language: str) -> str:
    """The text, or "" where the template has changed since and has other variables now."""
    if template is None or set(template.variables) - set(params):
        return ""
    return template.render(language, params)
