"""What an office should know when the day begins: who was not reached since the last working day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Standing, WhatsAppAddressee, WhatsAppAnnouncement, WhatsAppNotification
from whatsapp_monitoring_app.models.announcements import GAPS
from whatsapp_monitoring_app.models.notification_queries import is_late, waits_for_template
from whatsapp_monitoring_app.models.statuses import ON_THE_WAY
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import call_list, call_queue, statistics
from whatsapp_monitoring_app.services.call_list import Person
from whatsapp_monitoring_app.services.call_queue import Queue

MONDAY = 0
# People and announcements that the page names; it links to the others.
NAMED_AT_MOST = 5
# Messages of each office that are looked at for whom to call; who oversees reads of every office.
LOOKED_AT = 500


@dataclass(frozen=True)
class OfficeMorning:
    """One office: how many people to call (it may be AtLeast), messages that are late, messages on their way, and of
    these the ones that wait for a template.
    """

    scope: Scope
    call_count: int
    late_count: int = 0
    waiting_count: int = 0
    held_count: int = 0

    @property
    def is_quiet(self) -> bool:
        return not (self.call_count or self.late_count or self.waiting_count)


@dataclass(frozen=True)
class Gap:
    """An announcement that has not reached everybody; `count` people have to be looked at."""

    announcement: WhatsAppAnnouncement
    count: int


@dataclass(frozen=True)
class Morning:
    """Since the last working day. `people` are the first of those to call."""

    since: datetime
    offices: Sequence[OfficeMorning]
    people: Sequence[Person]
    gaps: Sequence[Gap]

    @property
    def is_well(self) -> bool:
        """Whether nothing waits for a person."""
        return not self.gaps and not any(office.call_count or office.late_count for office in self.offices)


def since(at: datetime) -> datetime:
    """The midnight with which the previous working day began, in the current time zone: on a Monday it was Friday."""
    today = statistics.start_of_day(at)
    return statistics.start_of_day(today - timedelta(days=3 if today.weekday() == MONDAY else 1))


def of(scope: Scope, at: datetime) -> Morning:
    """What this office should know; of every office, for those who see them all."""
    begin = since(at)
    queues = _queues(scope, at)
    first = call_queue.together(queues.values()).numbers[:NAMED_AT_MOST]
    return Morning(
        begin, _by_office(scope, queues, begin, at), call_list.people(scope, first, at), _gaps(scope, begin)
    )


def _queues(scope: Scope, at: datetime) -> dict[Scope, Queue]:
    """Who waits for a call of each office that is shown."""
    tried = call_queue.tried_since(scope, statistics.start_of_day(at))
    shown = scopes.all_scopes().values() if scope.sees_every_office else [scope]
    queues = call_queue.of_offices([one.office for one in shown], tried, at, LOOKED_AT)
    return {one: queues[one.office] for one in shown}


def _by_office(scope: Scope, queues: Mapping[Scope, Queue], begin: datetime, at: datetime) -> list[OfficeMorning]:
    under_way = _under_way(scope, begin, at)
    return [
        OfficeMorning(one, queue.count, *under_way.get(one.office, ()))
        for one, queue in queues.items()
        if one == scope or queue.entries or one.office in under_way
    ]


def _under_way(scope: Scope, begin: datetime, at: datetime) -> Mapping[str, Sequence[int]]:
    """By office: how many messages are late, how many on their way, and how many of these wait for a template."""
    late = is_late(at) & Q(created_at__gte=begin)
    waiting = Q(status__in=ON_THE_WAY)
    rows = WhatsAppNotification.objects.visible_to(scope).filter(late | waiting).order_by().values_list("source_app")
    counted = rows.annotate(
        late=Count("pk", filter=late),
        waiting=Count("pk", filter=waiting),
        held=Count("pk", filter=waits_for_template()),
    )
    return {office: counts for office, *counts in counted}


def _gaps(scope: Scope, begin: datetime) -> list[Gap]:
    made = WhatsAppAnnouncement.objects.filter(created_at__gte=begin)
    if not scope.sees_every_office:
        made = made.filter(source_app=scope.office)
    announcements = list(made)
    counts = WhatsAppAddressee.objects.filter(announcement__in=announcements).count_by_announcement()
    gaps = [Gap(one, _in_gaps(counts.get(one.pk, {}))) for one in announcements]
    return [gap for gap in gaps if gap.count][:NAMED_AT_MOST]


def _in_gaps(counts: Mapping[Standing, int]) -> int:
    return sum(counts.get(standing, 0) for standing in GAPS)
