"""One text for many people, with everything running; and the text stays in the database."""

import base64
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
from django.conf import settings

from accounts.models import User
from tests.stack import Stack
from tests.waiting import eventually
from tests.whatsapp_monitoring_app.crowds import TEXT, people, unreachable
from tests.whatsapp_monitoring_app.scripts import snapshot
from whatsapp_monitoring_app.models import Status, WhatsAppBulk, WhatsAppNotification
from whatsapp_monitoring_app.scopes import UnknownOffice
from whatsapp_monitoring_app.services.drafts import InvalidNotification
from whatsapp_monitoring_app.tasks import send_bulk_whatsapp_async, send_bulk_whatsapp_notifications

pytestmark = pytest.mark.django_db

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


@pytest.mark.django_db(transaction=True)
def test_thirty_people_get_the_message_once_each(stack: Stack, make_user: Callable[..., User]):
    users, nobody = people(make_user, 29), unreachable(make_user)
    author = make_user()
    with listening_to_the_broker() as heard:
        code = send_bulk_whatsapp_async([*users, nobody, *users], TEXT, "agent_mali", created_by=author).id
        read = WhatsAppNotification.objects.filter(status=Status.READ)
        eventually(lambda: read.count() == 29, "all are read", seconds=60)

    assert sorted(message["to"] for message in stack.messages()) == sorted(user.telephone for user in users)
    assert {text for user in users for text in stack.notices_to(user.telephone)} == {TEXT}
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
