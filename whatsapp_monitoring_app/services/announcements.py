"""One event, the right messages: who is to be told is written down with it, and compared with what became of each.

Announcing is safe to repeat: whoever has a message gets no other one, whoever has none gets it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    Standing,
    WhatsAppAddressee,
    WhatsAppAnnouncement,
    WhatsAppNotification,
    WhatsAppSender,
)
from whatsapp_monitoring_app.models.announcements import GAPS, TOLD, AddresseeQuerySet
from whatsapp_monitoring_app.services import message_types, outbox, quiet_hours, retries
from whatsapp_monitoring_app.services.drafts import Draft


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that people are to be told of. The same `idempotency_key` of one office is the same event."""

    source_app: str
    idempotency_key: str
    message_type: str
    category: str
    title: str
    subject: str = ""
    priority: int = 3
    created_by: User | None = None


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What one person is to be told: a template of ours with its values, and the rank of what it speaks of."""

    user: User
    template: str
    params: Mapping[str, str] = field(repr=False)
    about: Mapping[str, int]


@dataclass(frozen=True)
class Plan:
    """What announcing would do. `untold` says why, for each of those who would get no message."""

    told: Sequence[Telling]
    untold: Sequence[tuple[Telling, str]]
    rate_per_second: float = 0
    # Whether somebody calls those who get no message.
    must_be_known: bool = False
    # How many of those who get one are asleep: theirs leaves in the morning.
    sleeping_count: int = 0

    @property
    def expected_count(self) -> int:
        return len(self.told) + len(self.untold)

    @property
    def duration(self) -> timedelta:
        """How long the sender needs; nothing when its pace is not known."""
        return timedelta(seconds=len(self.told) / self.rate_per_second) if self.rate_per_second else timedelta()

    @property
    def refusals(self) -> list[tuple[str, list[User]]]:
        """Each reason why somebody would get no message, with its people, the most frequent first."""
        people: dict[str, list[User]] = {}
        for telling, reason in self.untold:
            people.setdefault(reason, []).append(telling.user)
        return sorted(people.items(), key=lambda refusal: -len(refusal[1]))


@dataclass(frozen=True)
class Announced:
    """The announcement, whether this call made it, and the notifications that are new."""

    announcement: WhatsAppAnnouncement
    is_new: bool
    notifications: Sequence[WhatsAppNotification]


def plan(event: Event, tellings: Sequence[Telling], at: datetime | None = None) -> Plan:
    """Who would be told at this moment (now), who would not and why, and how long it takes. Nothing is written."""
    drafts = [_draft(event, telling, str(telling.user.pk)) for telling in tellings]
    reasons = outbox.obstacles(drafts)
    told = [telling for telling in tellings if str(telling.user.pk) not in reasons]
    untold = [(telling, reasons[str(telling.user.pk)]) for telling in tellings if str(telling.user.pk) in reasons]
    return Plan(
        told,
        untold,
        _rate(event.source_app),
        must_be_known=message_types.get(event.message_type).must_be_known,
        sleeping_count=_sleeping_count(event, told, at or timezone.now()),
    )


def _sleeping_count(event: Event, told: Iterable[Telling], at: datetime) -> int:
    people = [telling.user for telling in told]
    return sum(quiet_hours.first_moment(event.message_type, user.telephone, user, at) > at for user in people)


def _rate(office: str) -> float:
    senders = WhatsAppSender.objects.filter(code=scopes.get(office).sender)
    return senders.values_list("rate_per_second", flat=True).first() or 0


@transaction.atomic
def announce(event: Event, tellings: Sequence[Telling], at: datetime) -> Announced:
    """Write down who is to be told, and a message for each of them who has none; nobody is rung for.

    In the caller's transaction: the event and its messages are stored together or not at all.
    """
    announcement, is_new = WhatsAppAnnouncement.objects.get_or_create(
        source_app=event.source_app,
        idempotency_key=event.idempotency_key,
        defaults={
            "subject": event.subject,
            "message_type": event.message_type,
            "category": event.category,
            "title": event.title,
            "priority": event.priority,
            "created_by": event.created_by,
            "created_at": at,
        },
    )
    # One at a time: two who announce the same see each other's addressees.
    WhatsAppAnnouncement.objects.select_for_update().get(pk=announcement.pk)
    _expect(announcement, tellings)
    return Announced(announcement, is_new, complete(announcement, at))


def _expect(announcement: WhatsAppAnnouncement, tellings: Iterable[Telling]) -> None:
    known = set(announcement.addressees.values_list("user", flat=True))
    WhatsAppAddressee.objects.bulk_create(
        WhatsAppAddressee(
            announcement=announcement,
            user=telling.user,
            template=telling.template,
            params=dict(telling.params),
            about=dict(telling.about),
        )
        for telling in tellings
        if telling.user.pk not in known
    )


@transaction.atomic
def complete(announcement: WhatsAppAnnouncement, at: datetime) -> Sequence[WhatsAppNotification]:
    """Owe their message to those for whom none could be made before; the new ones, for which nobody was rung."""
    addressees = list(
        announcement.addressees.never_told().select_related("user").select_for_update(of=("self",)).order_by("pk")
    )
    drafts = {addressee.pk: _draft_for(announcement, addressee) for addressee in addressees}
    posted = outbox.post_all(list(drafts.values()), at)
    written = {notification.idempotency_key: notification for notification in posted.new}
    for addressee in addressees:
        key = drafts[addressee.pk].idempotency_key
        addressee.notification, addressee.obstacle = written.get(key), posted.refusals.get(key, "")
    WhatsAppAddressee.objects.bulk_update(addressees, ["notification", "obstacle"])
    return posted.new


def _draft_for(announcement: WhatsAppAnnouncement, addressee: WhatsAppAddressee) -> Draft:
    event = Event(
        source_app=announcement.source_app,
        idempotency_key=announcement.idempotency_key,
        message_type=announcement.message_type,
        category=announcement.category,
        title=announcement.title,
        subject=announcement.subject,
        priority=announcement.priority,
    )
    telling = Telling(user=addressee.user, template=addressee.template, params=addressee.params, about=addressee.about)
    return _draft(event, telling, f"announcement:{announcement.pk}:{addressee.user_id}")


def _draft(event: Event, telling: Telling, idempotency_key: str) -> Draft:
    return Draft(
        source_app=event.source_app,
        user=telling.user,
        template=telling.template,
        params=telling.params,
        message_type=event.message_type,
        category=event.category,
        title=event.title,
        priority=event.priority,
        subject=event.subject,
        about=telling.about,
        idempotency_key=idempotency_key,
    )


@dataclass(frozen=True)
class Reconciliation:
    """The people who should have been told, counted by how far they have been."""

    counts: Mapping[Standing, int]

    @property
    def expected_count(self) -> int:
        return sum(self.counts.values())

    @property
    def told_count(self) -> int:
        return sum(self.counts.get(standing, 0) for standing in TOLD)

    @property
    def gaps(self) -> list[tuple[Standing, int]]:
        """What a person has to look at, and how many of each."""
        return [(standing, self.counts[standing]) for standing in GAPS if self.counts.get(standing)]

    @property
    def gap_count(self) -> int:
        return sum(count for _standing, count in self.gaps)

    @property
    def is_moving(self) -> bool:
        """Whether messages are on their way, or wait for their turn."""
        return bool(self.counts.get(Standing.WAITING))

    @property
    def may_be_confirmed(self) -> bool:
        """Whether receipts may still tell more of what has left."""
        return any(self.counts.get(standing) for standing in (Standing.ACCEPTED, Standing.UNCONFIRMED))

    @property
    def lines(self) -> list[tuple[Standing, int]]:
        """Every standing that somebody is in, the best first."""
        return [(standing, self.counts[standing]) for standing in Standing if self.counts.get(standing)]


def reconcile(announcement: WhatsAppAnnouncement, expected: Collection[int] = ()) -> Reconciliation:
    """Compare those who should have been told (`expected`, ids of accounts) with what became of their messages.

    Whoever is expected and was not even written down counts among those for whom no message was made.
    """
    counts = announcement.addressees.count_by_standing()
    forgotten = len(forgotten_by(announcement, expected))
    if forgotten:
        counts[Standing.NEVER_CREATED] = counts.get(Standing.NEVER_CREATED, 0) + forgotten
    return Reconciliation(counts)


def reconcile_all(announced: Iterable[WhatsAppAnnouncement]) -> list[tuple[WhatsAppAnnouncement, Reconciliation]]:
    """Each of these announcements with what became of it, by one query."""
    rows = list(announced)
    counts = WhatsAppAddressee.objects.filter(announcement__in=rows).count_by_announcement()
    return [(announcement, Reconciliation(counts.get(announcement.pk, {}))) for announcement in rows]


def retry(announcement: WhatsAppAnnouncement, actor: User, at: datetime) -> retries.Retried:
    """Queue one more attempt for each of its messages that failed for good; nobody is rung for."""
    failed = announcement.addressees.standing(Standing.FAILED).values("notification")
    return retries.retry_each(WhatsAppNotification.objects.filter(pk__in=failed), actor, at)


def forgotten_by(announcement: WhatsAppAnnouncement, expected: Collection[int]) -> set[int]:
    """The accounts of those who should have been told and were not even written down."""
    return set(expected) - set(announcement.addressees.values_list("user", flat=True))


def people(announcement: WhatsAppAnnouncement, standing: Standing | None = None) -> AddresseeQuerySet:
    """The addressees, those of one standing or all of them."""
    found = announcement.addressees.select_related("user", "notification")
    return (found.standing(standing) if standing else found).order_by("user__last_name", "user__pk")
