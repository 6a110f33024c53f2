"""Who has to be told by a person: what the machine has given up on, and what waits for a decision."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from whatsapp_monitoring_app.models import (
    CancelReason,
    InformedHow,
    Status,
    WhatsAppAddressee,
    WhatsAppNotification,
)
from whatsapp_monitoring_app.models.announcements import AddresseeQuerySet
from whatsapp_monitoring_app.models.notifications import NotificationQuerySet
from whatsapp_monitoring_app.models.subjects import known_better
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import message_types


def to_call(notifications: NotificationQuerySet, at: datetime) -> NotificationQuerySet:
    """Those of which a person has to tell the client: given up, or in doubt, and the client knows nothing newer."""
    unwanted = Q(cancel_reason=CancelReason.OPT_OUT, message_type__in=message_types.TYPES_TO_BE_KNOWN)
    misdirected = Q(cancel_reason=CancelReason.WRONG_NUMBER, resent_as=None)
    failed = Q(status=Status.FAILED, resent_as=None)
    doubtful = Q(status=Status.UNCONFIRMED, confirm_by__lte=at)
    found = notifications.filter(failed | doubtful | unwanted | misdirected, informed_at=None)
    return found.exclude(message_type__in=message_types.TYPES_WITHOUT_CALL).exclude(known_better())


def without_message(scope: Scope) -> AddresseeQuerySet:
    """Those who were to be told by this office and for whom no message could be made."""
    untold = WhatsAppAddressee.objects.never_told()
    return untold if scope.sees_every_office else untold.filter(announcement__source_app=scope.office)


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


def close(subjects: Collection[str], user: User, person: User, at: datetime) -> int:
    """Note that the person was told in our office of these things: no call is needed about what failed to say so."""
    open_ones = WhatsAppNotification.objects.filter(user=user, subjects__name__in=subjects, subjects__fact_rank__gt=0)
    given_up = open_ones.filter(status__in=[Status.FAILED, Status.UNCONFIRMED, Status.CANCELLED])
    codes = list(given_up.values_list("pk", flat=True))
    return inform(WhatsAppNotification.objects.filter(pk__in=codes), person, at, InformedHow.IN_PERSON)
