"""Bringing in a list of clients: judged first, started by a person, worked off a few clients at a time."""

import hashlib
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from accounts.models import User
from agent_chine_app import client_creation, client_files, client_lines
from agent_chine_app.models import Client, ClientCreation, ClientImport
from whatsapp_monitoring_app.models import Status, WhatsAppNotification

# Clients of one run: afterwards the workers look after what else waits in their queue.
CLIENTS_AT_A_TIME = 50
# How long a run may hold an import: far longer than it takes.
LEASE = timedelta(minutes=3)
_States = ClientImport.Status


def check(request_id: uuid.UUID, file_name: str, content: bytes, requested_by: User) -> ClientImport:
    """Read and judge a file; nothing is brought in yet. The same file of the same form is one import.

    A form that comes back with another file (by the browser's “back”) is another import.
    Raises client_files.UnreadableFile.
    """
    code = uuid.uuid5(request_id, hashlib.sha256(content).hexdigest())
    known = ClientImport.objects.filter(pk=code).first()
    if known:
        return known
    judgement = client_lines.judge(client_files.read(content))
    new = list(_without_clients(judgement.good))
    double_count = sum(line.is_double for line in judgement.bad)
    batch, _created = ClientImport.objects.get_or_create(
        code=code,
        defaults={
            "file_name": client_files.clean(file_name)[:200],
            "requested_by": requested_by,
            "new_count": len(new),
            "known_count": len(judgement.good) - len(new),
            "double_count": double_count,
            "bad_count": len(judgement.bad) - double_count,
            "lines": [asdict(client) for client in new],
            "errors": [asdict(line) for line in judgement.bad],
        },
    )
    return batch


def _without_clients(lines: list[client_lines.Good]) -> Iterable[client_lines.Good]:
    numbers = [line.telephone for line in lines]
    known = set(Client.objects.filter(user__telephone__in=numbers).values_list("user__telephone", flat=True))
    return (line for line in lines if line.telephone not in known)


def start(code: uuid.UUID, by: User, *, tells: bool, at: datetime) -> bool:
    """Let the clients be brought in, in this person's name; False when that was decided on before."""
    return bool(
        ClientImport.objects.filter(pk=code, status=_States.CHECKED, new_count__gt=0).update(
            status=_States.STARTED, tells=tells, requested_by=by, rung_at=at
        )
    )


def discard(code: uuid.UUID) -> bool:
    """Forget what the file said; False when it was decided on before."""
    checked = ClientImport.objects.filter(pk=code, status=_States.CHECKED)
    return bool(checked.update(status=_States.DISCARDED, lines=[], errors=[]))


def run(code: uuid.UUID, now: Callable[[], datetime] = timezone.now) -> bool:
    """Create the next few clients of a started import; whether another run is to go on.

    One run works on an import at a time; a second one does nothing. After a dead one, the next begins where it was.
    """
    if not _claim(code, now()):
        return False
    _write_creations(code)
    waiting = ClientCreation.objects.filter(batch=code, status__in=ClientCreation.UNFINISHED)
    for creation in waiting.order_by("pk").values_list("pk", flat=True)[:CLIENTS_AT_A_TIME]:
        client_creation.run(creation, now())
    return _release(code, has_more=waiting.exists(), at=now())


def _claim(code: uuid.UUID, at: datetime) -> bool:
    free = Q(claimed_until=None) | Q(claimed_until__lt=at)
    started = ClientImport.objects.filter(free, pk=code, status=_States.STARTED)
    return bool(started.update(claimed_until=at + LEASE, rung_at=at))


def _release(code: uuid.UUID, *, has_more: bool, at: datetime) -> bool:
    started = ClientImport.objects.filter(pk=code, status=_States.STARTED)
    if has_more:
        started.update(claimed_until=None)
    else:
        started.update(claimed_until=None, status=_States.FINISHED, finished_at=at)
    return has_more


@transaction.atomic
def _write_creations(code: uuid.UUID) -> None:
    """Turn the lines into creations, all of them once: an import without lines has had this done."""
    batch = ClientImport.objects.select_for_update().get(pk=code)
    ClientCreation.objects.bulk_create(
        (ClientCreation(batch=batch, requested_by_id=batch.requested_by_id, **line) for line in batch.lines),
        batch_size=500,
    )
    batch.lines = []
    batch.save(update_fields=["lines"])


@transaction.atomic
def forget(before: datetime) -> int:
    """Delete the imports and creations that were over before this moment, with the people in them; how many rows."""
    _imports_with_creations, counts = ClientImport.objects.forgettable(before).delete()
    creations, _counts = ClientCreation.objects.forgettable(before).delete()
    return sum(counts.values()) + creations


@dataclass(frozen=True)
class Progress:
    """How far an import is: clients of it, and messages to them."""

    total: int
    created: int
    known: int
    failed: int
    told: int
    untold: int
    on_the_way: int

    @property
    def done(self) -> int:
        return self.created + self.known + self.failed


def progress(batch: ClientImport) -> Progress:
    success = Q(status=ClientCreation.Status.SUCCESS)
    clients = batch.creations.aggregate(
        created=Count("pk", success & Q(was_new=True)),
        known=Count("pk", success & Q(was_new=False)),
        failed=Count("pk", Q(status=ClientCreation.Status.FAILURE)),
    )
    told, untold = Q(status__in=[Status.SENT, Status.DELIVERED, Status.READ]), Q(status__in=_UNTOLD)
    owed = WhatsAppNotification.objects.filter(pk__in=batch.creations.values("notification_code"))
    messages = owed.aggregate(
        told=Count("pk", told), untold=Count("pk", untold), on_the_way=Count("pk", ~told & ~untold)
    )
    return Progress(total=batch.new_count, **clients, **messages)


_UNTOLD = (Status.FAILED, Status.CANCELLED)


def troubles(batch: ClientImport) -> QuerySet[ClientCreation]:
    """The clients who were not created or not told, with `message_status` and `error_class` of their message."""
    owed = WhatsAppNotification.objects.filter(pk=OuterRef("notification_code"), status__in=_UNTOLD)
    annotated = batch.creations.annotate(
        message_status=Subquery(owed.values("status")), error_class=Subquery(owed.values("error_class"))
    )
    failed = Q(status=ClientCreation.Status.FAILURE) | Q(message_status__isnull=False)
    return annotated.filter(failed).select_related("client__user").order_by(F("client").asc(nulls_first=True), "pk")
