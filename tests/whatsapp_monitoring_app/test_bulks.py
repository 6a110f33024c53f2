"""One text for many people: each once, whoever dies or runs twice; and the text stays in the database."""

import base64
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import redis
from django.conf import settings

from accounts.models import User
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.scripts import NOW, snapshot
from whatsapp_monitoring_app.models import Status, WhatsAppBulk, WhatsAppNotification
from whatsapp_monitoring_app.scopes import UnknownOffice
from whatsapp_monitoring_app.services import bulks, recovery
from whatsapp_monitoring_app.services.outbox import Draft, InvalidNotification
from whatsapp_monitoring_app.tasks import send_bulk_whatsapp_async, send_bulk_whatsapp_notifications

pytestmark = pytest.mark.django_db

TEXT = "Fermeture exceptionnelle samedi"
END = "end of the listening"


@contextmanager
def listening_to_the_broker() -> Iterator[list[str]]:
    """What every process says to Valkey during the block, with the tasks' bodies decoded."""
    heard: list[str] = []
    client = redis.Redis.from_url(settings.REDIS_URL)

    def listen(monitor: redis.client.Monitor) -> None:
        for command in monitor.listen():
            line = command["command"].replace('\\"', '"')
            if END in line:
                return
            bodies = re.findall(r'"body": "([A-Za-z0-9+/=]+)"', line)
            heard.extend([line, *(base64.b64decode(body).decode() for body in bodies)])

    with client, client.monitor() as monitor:
        listener = threading.Thread(target=listen, args=[monitor])
        listener.start()
        try:
            yield heard
        finally:
            client.echo(END)
            listener.join(10)


def people(make_user: Callable[..., User], count: int) -> list[User]:
    return [make_user() for _ in range(count)]


def unreachable(make_user: Callable[..., User]) -> User:
    """Somebody whose account holds a number that cannot exist."""
    user = make_user()
    User.objects.filter(pk=user.pk).update(telephone="+999")
    return user


def bulk_for(users: list[User]) -> WhatsAppBulk:
    return bulks.create(Draft(message_content=TEXT, source_app="agent_mali", priority=5), users, NOW)


@pytest.mark.django_db(transaction=True)
def test_thirty_people_get_the_message_once_each(stack: Stack, make_user: Callable[..., User]):
    users, nobody = people(make_user, 29), unreachable(make_user)
    author = make_user()
    with listening_to_the_broker() as heard:
        code = send_bulk_whatsapp_async([*users, nobody, *users], TEXT, "agent_mali", created_by=author).id
        read = WhatsAppNotification.objects.filter(status=Status.READ)
        eventually(lambda: read.count() == 29, "all are read", seconds=60)

    assert sorted(message["to"] for message in stack.messages()) == sorted(user.telephone for user in users)
    assert {message["text"] for message in stack.messages()} == {TEXT}
    bulk = WhatsAppBulk.objects.get(pk=code)
    assert (bulk.created_by, bulk.finished_at is not None) == (author, True)
    assert list(bulk.refusals) == [str(nobody.pk)]
    assert "+999" in bulk.refusals[str(nobody.pk)]

    said = "\n".join(heard)
    assert code in said
    assert str(read.values_list("pk", flat=True)[0]) in said
    for secret in (TEXT, "Fermeture", users[0].telephone, users[0].telephone.removeprefix("+")):
        assert secret not in said

    before = snapshot(WhatsAppNotification)
    assert send_bulk_whatsapp_notifications(code) == 0
    assert snapshot(WhatsAppNotification) == before
    assert len(stack.requests()) == 29


def test_a_second_run_completes_what_a_dead_worker_left(make_user: Callable[..., User]):
    users = people(make_user, 4)
    bulk = bulk_for(users)
    bulks.expand(bulk.pk, NOW)
    # The worker died after two of them.
    WhatsAppNotification.objects.filter(user__in=users[2:]).delete()
    WhatsAppBulk.objects.update(finished_at=None)

    later = NOW + timedelta(minutes=5)
    assert recovery.lost_bulks(later) == [bulk.pk]
    assert {notification.user for notification in bulks.expand(bulk.pk, later)} == set(users[2:])
    assert WhatsAppNotification.objects.count() == 4
    assert bulks.expand(bulk.pk, later) == []


def test_an_account_that_is_gone_is_named_and_does_not_stop_the_others(make_user: Callable[..., User]):
    gone, *others = people(make_user, 3)
    bulk = bulk_for([gone, *others])
    gone_pk = gone.pk
    gone.delete()
    assert {notification.user for notification in bulks.expand(bulk.pk, NOW)} == set(others)
    bulk.refresh_from_db()
    assert list(bulk.refusals) == [str(gone_pk)]


def test_each_person_gets_it_in_their_bulks_words(make_user: Callable[..., User]):
    (user,) = people(make_user, 1)
    (notification,) = bulks.expand(bulk_for([user]).pk, NOW)
    assert (notification.message_content, notification.source_app, notification.priority) == (TEXT, "agent_mali", 5)
    assert notification.phone_number == user.telephone


def test_a_bulk_for_nobody_is_finished_at_once():
    bulk = bulk_for([])
    assert bulks.expand(bulk.pk, NOW) == []
    bulk.refresh_from_db()
    assert (bulk.finished_at, bulk.refusals) == (NOW, {})


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"message_content": ""}, InvalidNotification),
        ({"message_content": "é" * 4097}, InvalidNotification),
        ({"priority": 6}, InvalidNotification),
        ({"source_app": "agent_france"}, UnknownOffice),
    ],
)
def test_a_bulk_that_cannot_be_sent_is_refused_whole(
    fields: dict[str, object], error: type[Exception], make_user: Callable[..., User]
):
    given = {"users": people(make_user, 2), "message_content": TEXT, "source_app": "agent_mali", **fields}
    with pytest.raises(error):
        send_bulk_whatsapp_async(**given)  # type: ignore[arg-type]
    assert not WhatsAppBulk.objects.exists()
    assert not WhatsAppNotification.objects.exists()
