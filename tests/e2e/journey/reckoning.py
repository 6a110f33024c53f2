"""What was said, as the pages count it, as the database has it, and as the sandbox saw it: all the same, always."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from playwright.sync_api import Page

from tests.e2e.journey import cast
from tests.e2e.journey.cast import Fate, Person
from tests.e2e.journey.sayings import LINK
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import CancelReason, Status, WhatsAppAnnouncement, WhatsAppNotification
from whatsapp_monitoring_app.models.statuses import WAITING

NOT_ON_WHATSAPP_CODE = 131026
BY_STATUS = {
    Status.READ: Fate.READ,
    Status.DELIVERED: Fate.DELIVERED,
    Status.SENT: Fate.ACCEPTED,
    Status.FAILED: Fate.FAILED,
    **dict.fromkeys(WAITING, Fate.WAITING),
}
BY_REASON = {
    CancelReason.OPT_OUT: Fate.REFUSED,
    CancelReason.WRONG_NUMBER: Fate.STRANGER,
    CancelReason.SUPERSEDED: Fate.REPLACED,
}
IN_THE_SANDBOX = {"read": Fate.READ, "delivered": Fate.DELIVERED, "sent": Fate.ACCEPTED, "failed": Fate.FAILED}


def expected(people: Iterable[Person], **instead: Fate) -> Counter[Fate]:
    """How many of these people end how; `instead` gives another end to those who would end so (by its name)."""
    return Counter(instead.get(person.fate.name, person.fate) for person in people)


def unfinished() -> Any:
    """The messages that something may still become of."""
    of = {place: cast.MAGIC[place] for place in (cast.NEVER_READ, cast.NEVER_DELIVERED)}
    stays = Q(status=Status.DELIVERED, phone_number=of[cast.NEVER_READ])
    stays |= Q(status=Status.SENT, phone_number=of[cast.NEVER_DELIVERED])
    final = Q(status__in=[Status.READ, Status.FAILED, Status.CANCELLED])
    return WhatsAppNotification.objects.exclude(final | stays)


def held() -> Any:
    """The messages that a paused sender keeps, for the time being."""
    return WhatsAppNotification.objects.filter(status__in=WAITING, error_class="not_configured")


def wait_for_the_end(stack: Stack, people: Iterable[Person]) -> None:
    """Until each message has come as far as it ever will; then everybody has read theirs, each once."""
    eventually(lambda: not unfinished().exists(), "every message ends", seconds=60)
    everybody_has_read_theirs(stack, people)


def everybody_has_read_theirs(stack: Stack, people: Iterable[Person]) -> None:
    """The texts at WhatsApp are those that should be there, to the letter, in the person's language, each once."""
    messages = stack.messages()
    for person in people:
        theirs = [re.sub(r"https?://\S+", LINK, one["text"]) for one in messages if one["to"] == person.telephone]
        missing, extra = Counter(person.read) - Counter(theirs), Counter(theirs) - Counter(person.read)
        assert not missing + extra, f"{person.name} lacks {list(missing)}, and has got {list(extra)}"
    assert len(messages) == sum(len(person.read) for person in people)
    assert max(Counter(one["tracking"] for one in messages).values()) == 1


def counts_reconcile(page: Page, announcement: WhatsAppAnnouncement, should_be: Counter[Fate], stack: Stack) -> None:
    """This page counts the announcement's people as they should be, and as the database and the sandbox have them."""
    rows = "rows => rows.map(row => [row.cells[0].innerText.trim(), Number(row.cells[2].innerText)])"
    shown = page.locator(f"#told-{announcement.pk} tbody tr").evaluate_all(rows)
    assert dict(shown) == {str(fate): count for fate, count in should_be.items()}
    total = page.locator(f"#told-{announcement.pk} tfoot td").last.inner_text()
    assert int(total) == should_be.total()
    assert _in_the_database(announcement) == should_be
    assert _in_the_sandbox(announcement, stack) == _by_messages(announcement)


def _in_the_database(announcement: WhatsAppAnnouncement) -> Counter[Fate]:
    return Counter(_fate(addressee.notification) for addressee in _addressees(announcement))


def _addressees(announcement: WhatsAppAnnouncement) -> Any:
    return announcement.addressees.select_related("notification")


def _fate(notification: WhatsAppNotification | None) -> Fate:
    assert notification is not None
    return Fate.INFORMED if notification.informed_at else _untold_fate(notification)


def _untold_fate(notification: WhatsAppNotification) -> Fate:
    if notification.status == Status.CANCELLED:
        return BY_REASON[CancelReason(notification.cancel_reason)]
    return BY_STATUS[Status(notification.status)]


def _by_messages(announcement: WhatsAppAnnouncement) -> Counter[Fate]:
    """The same without what people did about it, of those messages that went out."""
    fates = Counter(_untold_fate(addressee.notification) for addressee in _addressees(announcement))
    return Counter({fate: count for fate, count in fates.items() if fate in IN_THE_SANDBOX.values()})


def _in_the_sandbox(announcement: WhatsAppAnnouncement, stack: Stack) -> Counter[Fate]:
    codes = {str(addressee.notification_id) for addressee in _addressees(announcement)}
    accepted = [IN_THE_SANDBOX[one["status"]] for one in stack.messages() if one["tracking"] in codes]
    refused = [one for one in stack.requests() if one["tracking"] in codes and one["error_code"]]
    assert {one["error_code"] for one in refused} <= {NOT_ON_WHATSAPP_CODE}
    return Counter([*accepted, *(Fate.FAILED for _ in refused)])
