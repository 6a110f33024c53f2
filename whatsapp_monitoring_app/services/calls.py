"""Who has to be told by a person: what the machine has given up on, and what waits for a decision."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from accounts.models import User
from whatsapp_monitoring_app.models import (
    CancelReason,
    InformedHow,
    Status,
    WhatsAppAddressee,
    WhatsAppCall,
    WhatsAppNotification,
    WhatsAppSubject,
)
from whatsapp_monitoring_app.models.announcements import AddresseeQuerySet
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.models.subjects import known_better
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import corrections, message_types


def given_up(notifications: NotificationQuerySet, at: datetime) -> NotificationQuerySet:
    """Those that the machine has given up or is in doubt about, and of which nobody has told the client."""
    cancelled = Q(status=Status.CANCELLED)
    unwanted = cancelled & Q(cancel_reason=CancelReason.OPT_OUT, message_type__in=message_types.TYPES_TO_BE_KNOWN)
    misdirected = cancelled & Q(cancel_reason=CancelReason.WRONG_NUMBER)
    failed = Q(status=Status.FAILED)
    doubtful = Q(status=Status.UNCONFIRMED, confirm_by__lte=at)
    # The condition of the indexes `notification_call_…` (MAY_NEED_A_CALL), hence the status beside each reason.
    found = notifications.filter(failed | doubtful | unwanted | misdirected, informed_at=None, resent_as=None)
    return found.exclude(message_type__in=message_types.TYPES_WITHOUT_CALL)


def to_call(notifications: NotificationQuerySet, at: datetime) -> NotificationQuerySet:
    """Those of which a person has to tell the client: given up, or in doubt, and the client knows nothing newer."""
    return given_up(notifications, at).exclude(known_better())


def without_message(scope: Scope) -> AddresseeQuerySet:
    """Those who were to be told by this office and for whom no message could be made."""
    return WhatsAppAddressee.objects.visible_to(scope).never_told()


@transaction.atomic
def inform(
    notifications: NotificationQuerySet, person: User, at: datetime, how: InformedHow = InformedHow.PHONE
) -> int:
    """Note that `person` told the client what these messages say; how many were not noted yet.

    What nobody knew of is settled with it: it is not sent again.
    """
    told = {"informed_at": at, "informed_by": person, "informed_how": how}
    fresh = notifications.filter(informed_at=None)
    codes = list(fresh.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    rows = WhatsAppNotification.objects.filter(pk__in=codes)
    # What waited for a person's decision has it now.
    rows.filter(status=Status.UNCONFIRMED).move(Status.FAILED, settled_by=person, failed_at=at)
    return rows.update(**told)


def inform_addressees(addressees: AddresseeQuerySet, person: User, at: datetime) -> int:
    """Note that `person` told these people, for whom there is no message; how many were not noted yet."""
    return addressees.filter(informed_at=None).update(informed_at=at, informed_by=person)


@dataclass(frozen=True)
class Errands:
    """What one person is called about: messages, and announcements of which no message could be made."""

    notifications: NotificationQuerySet
    addressees: AddresseeQuerySet

    def by_number_and_office(self) -> set[tuple[str, str]]:
        """Who is called, and about whose messages."""
        return {
            *self.notifications.order_by().values_list("phone_number", "source_app"),
            *self.addressees.order_by().values_list("user__telephone", "announcement__source_app"),
        }


class NothingToNote(Exception):
    """Nobody has to be called about this any more; nothing changed. The message says why, for people."""


@transaction.atomic
def tell(errands: Errands, person: User, at: datetime, request_id: uuid.UUID) -> None:
    """Note that `person` has just told by telephone what these say. Once: the second time raises NothingToNote."""
    open_ones = Errands(
        to_call(errands.notifications, at), errands.addressees.never_told().select_related("announcement")
    )
    called = open_ones.by_number_and_office()
    told_count = inform(open_ones.notifications, person, at) + inform_addressees(open_ones.addressees, person, at)
    if not told_count:
        raise NothingToNote(_why_nothing(errands))
    _note(called, WhatsAppCall.Outcome.TOLD, person, at, request_id)


def _why_nothing(errands: Errands) -> str:
    informed: Any = (
        errands.notifications.exclude(informed_at=None).select_related("informed_by").first()
        or errands.addressees.exclude(informed_at=None).select_related("informed_by").first()
    )
    if informed is None:
        return _("Nothing was noted: the list has changed meanwhile.")
    return _("%(person)s told them already: %(time)s.") % {
        "person": informed.informed_by or _("Somebody"),
        "time": formats.date_format(timezone.localtime(informed.informed_at), "DATETIME_FORMAT"),
    }


def note_try(errands: Errands, person: User, at: datetime, request_id: uuid.UUID) -> None:
    """Note that `person` called in vain; once for each request. Raises NothingToNote."""
    called = errands.by_number_and_office()
    if not called:
        raise NothingToNote(_("Nobody has to be called at this number any more."))
    _note(called, WhatsAppCall.Outcome.NOT_REACHED, person, at, request_id)


@transaction.atomic
def note_wrong_person(errands: Errands, person: User, at: datetime, request_id: uuid.UUID) -> bool:
    """Somebody else answered: nothing is written to this number any more; False when that was known already.

    Raises NothingToNote.
    """
    called = errands.by_number_and_office()
    if not called:
        raise NothingToNote(_("Nobody has to be called at this number any more."))
    are_new = [corrections.note_stranger(number, person, at) for number in {number for number, _office in called}]
    _note(called, WhatsAppCall.Outcome.WRONG_PERSON, person, at, request_id)
    return any(are_new)


def _note(
    called: Collection[tuple[str, str]],
    outcome: WhatsAppCall.Outcome,
    person: User,
    at: datetime,
    request_id: uuid.UUID,
) -> None:
    WhatsAppCall.objects.bulk_create(
        [
            WhatsAppCall(
                phone_number=number, source_app=office, person=person, at=at, outcome=outcome, request_id=request_id
            )
            for number, office in sorted(called)
        ],
        # The same form twice.
        ignore_conflicts=True,
    )


@transaction.atomic
def close(subjects: Collection[str], user: User, person: User, at: datetime) -> int:
    """Note that the person was told in our office of these things: no call is needed about what failed to say so.

    What also speaks of other things stays to be said. How many messages were not noted yet.
    """
    facts = WhatsAppSubject.objects.filter(notification=OuterRef("pk"), fact_rank__gt=0)
    about_these = Q(Exists(facts.filter(name__in=subjects))) & ~Q(Exists(facts.exclude(name__in=subjects)))
    given_up = WhatsAppNotification.objects.filter(
        about_these, user=user, status__in=[Status.FAILED, Status.UNCONFIRMED, Status.CANCELLED]
    )
    untold = WhatsAppAddressee.objects.never_told().filter(user=user)
    about_nothing_else = [addressee.pk for addressee in untold if set(addressee.about) <= set(subjects)]
    inform_addressees(WhatsAppAddressee.objects.filter(pk__in=about_nothing_else), person, at)
    codes = list(given_up.values_list("pk", flat=True))
    return inform(WhatsAppNotification.objects.filter(pk__in=codes), person, at, InformedHow.IN_PERSON)
