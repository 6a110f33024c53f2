"""The people on the call list: what each should know, why no message told them, and who has tried."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.expressions import RawSQL
from django.utils.functional import Promise
from django.utils.translation import get_language

from accounts.models import User
from whatsapp_monitoring_app.models import (
    CancelReason,
    ErrorClass,
    WhatsAppAddressee,
    WhatsAppCall,
    WhatsAppNotification,
    WhatsAppTemplate,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.models.announcements import AddresseeQuerySet
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import calls, explanations
from whatsapp_monitoring_app.services.call_queue import Kind
from whatsapp_monitoring_app.services.calls import Errands
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS

# Messages that the card of one person shows; older ones come when these are told.
SHOWN_AT_MOST = 10


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
    """Somebody to call, what they should know (the newest first; there may be more), and who has tried."""

    phone_number: str
    users: Sequence[User]
    errands: Sequence[Errand]
    has_more: bool
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


def find(scope: Scope, at: datetime) -> Errands:
    """What this office's people have to call about."""
    notifications = calls.to_call(WhatsAppNotification.objects.visible_to(scope), at)
    return Errands(notifications, calls.without_message(scope))


def at_number(scope: Scope, phone_number: str, at: datetime) -> Errands:
    """What this office's people have to call this number about."""
    found = find(scope, at)
    return Errands(
        found.notifications.filter(phone_number=phone_number), found.addressees.filter(user__telephone=phone_number)
    )


def people(
    scope: Scope, phone_numbers: Sequence[str], at: datetime, user_relations: Sequence[str] = ()
) -> list[Person]:
    """The people at these telephones, in this order; a few queries, however many they are.

    `user_relations` are what an office's own templates read of a user.
    """
    found = find(scope, at)
    users = ("user", *(f"user__{name}" for name in user_relations))
    newest = WhatsAppNotification.objects.filter(pk__in=_newest_of_each(found.notifications, phone_numbers))
    addressees = found.addressees.filter(user__telephone__in=phone_numbers)
    errands = [
        *_of_messages(newest.select_related(*users, "sender", "template")),
        *_of_addressees(addressees.select_related(*users, "announcement")),
    ]
    return _grouped(phone_numbers, errands, scope)


def _newest_of_each(notifications: NotificationQuerySet, phone_numbers: Sequence[str]) -> RawSQL:
    """The newest of these for each telephone, along its index, and one more than a card shows."""
    of_one = notifications.filter(phone_number=RawSQL("asked.phone_number", ()))  # noqa: S611 - our own words
    rows, params = of_one.order_by("-created_at").values_list("code").query.sql_with_params()
    newest = f"""
        SELECT newest.code FROM unnest(%s::text[]) AS asked (phone_number),
          LATERAL ({rows} LIMIT {SHOWN_AT_MOST + 1}) AS newest
    """  # noqa: S608 - Django's own words
    return RawSQL(newest, [list(phone_numbers), *params])  # noqa: S611


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
    shown = errands[:SHOWN_AT_MOST]
    since = min(errand.since for errand in shown)
    users = dict.fromkeys(user for errand in shown if (user := _user_of(errand)))
    # What was tried before concerned something else.
    heard = [call for call in tries if call.at >= since]
    return Person(number, list(users), shown, len(errands) > len(shown), is_stranger, heard)


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
