"""What failed, grouped by cause: how many, whom, since when, and whether somebody has seen to it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from tests import rows
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import (
    Action,
    ErrorClass,
    Status,
    WhatsAppAuditEntry,
    WhatsAppCauseMark,
    WhatsAppNotification,
)
from whatsapp_monitoring_app.services import cause_counts, causes, depth, explanations
from whatsapp_monitoring_app.services.cause_counts import Key
from whatsapp_monitoring_app.services.causes import Group, State
from whatsapp_monitoring_app.services.diagnosis import Remedy
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS
from whatsapp_monitoring_app.services.paging import AtLeast
from whatsapp_monitoring_app.services.search import Filters

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
BAD_NUMBER = Key("agent_mali", "recipient_permanent", "131026")
TRANSIENT = {"error_class": ErrorClass.TRANSIENT, "error_code": "131016"}


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def failed(office: str = "agent_mali", number: int = 1, **fields: Any) -> WhatsAppNotification:
    return rows.notification(office, phone_number=f"+2237600{number:04}", **fields)


def groups(office: str = "agent_mali", query: str = "", at: datetime | None = None) -> Sequence[Group]:
    scope = scopes.get(office)
    visible = WhatsAppNotification.objects.visible_to(scope)
    return causes.look(visible, scope, Filters.read(query), at or timezone.now()).groups


def mark(key: Key, person: User | None, at: datetime, seen_at: datetime | None = None, office: str = "") -> None:
    scope = scopes.get(office or key.source_app)
    assert person
    causes.mark(WhatsAppNotification.objects.visible_to(scope), key, person, scope, at, seen_at=seen_at or at)


def test_nothing_failed_is_no_group():
    rows.notification("agent_mali", Status.READ)
    assert groups() == []


def test_a_group_counts_messages_and_people_and_says_from_when_to_when(now: datetime):
    failed(number=1, failed_at=now - 3 * HOUR)
    failed(number=1, failed_at=now - 2 * HOUR)
    failed(number=2, failed_at=now - HOUR)
    (group,) = groups()
    assert group.key == BAD_NUMBER
    assert (group.sums.message_count, group.sums.people_count) == (3, 2)
    assert (group.sums.first_at, group.sums.last_at) == (now - 3 * HOUR, now - HOUR)
    assert group.label == ErrorClass.RECIPIENT_PERMANENT.label


def test_the_cause_of_most_people_comes_first_and_codes_are_causes_of_their_own():
    failed(number=1, error_code="131021")
    for number in range(3):
        failed(number=number)
    assert [group.key.error_code for group in groups()] == ["131026", "131021"]


@pytest.mark.parametrize(
    "settled", [{"informed_how": "phone", "informed_at": "2026-01-01T00:00Z"}, {"settled": True}, {"resent": True}]
)
def test_what_somebody_has_settled_is_in_no_group(settled: dict[str, Any], make_user: Callable[..., User]):
    fields = dict(settled)
    if fields.pop("settled", False):
        fields["settled_by"] = make_user()
    if fields.pop("resent", False):
        fields["resent_as"] = rows.notification("agent_mali", Status.READ)
    failed(**fields)
    assert groups() == []


def test_a_sample_names_some_of_the_newest_each_once(now: datetime):
    for hours in range(5):
        failed(number=1, failed_at=now - hours * HOUR / 10)
    for number in (2, 3, 4, 5):
        failed(number=number, failed_at=now - number * HOUR)
    (group,) = groups()
    assert [one.phone_number[-1] for one in group.sample] == ["1", "2"]
    assert group.others_count == 3


def test_an_office_s_groups_are_of_its_own_messages():
    failed("agent_mali", 1)
    failed("agent_chine", 2)
    failed("agent_chine", 3)
    assert [(group.key.source_app, group.sums.people_count) for group in groups()] == [("agent_mali", 1)]


def test_an_administrator_s_groups_are_of_each_office_apart():
    failed("agent_mali", 1)
    failed("agent_chine", 2)
    failed("agent_chine", 3)
    found = [(group.key.source_app, group.sums.people_count) for group in groups("admin_mali")]
    assert found == [("agent_chine", 2), ("agent_mali", 1)]


@pytest.mark.parametrize("office", ["agent_mali", "admin_mali"])
def test_the_query_of_a_group_finds_exactly_its_messages(office: str):
    kinds = [
        ("recipient_permanent", "131026"),
        ("recipient_permanent", ""),
        ("", ""),
        ("unknown", "1"),
        ("unknown", ""),
    ]
    for error_class, error_code in kinds:
        failed("agent_mali", 1, error_class=error_class, error_code=error_code)
        failed("agent_chine", 2, error_class=error_class, error_code=error_code)
    visible = WhatsAppNotification.objects.visible_to(scopes.get(office))
    found = groups(office)
    assert len(found) == len(kinds) * (2 if office == "admin_mali" else 1)
    for group in found:
        (one,) = Filters.read(group.query).apply(visible, timezone.now())
        assert (one.source_app, one.error_class, one.error_code) == group.key


def test_the_list_s_filters_narrow_the_groups_down_whatever_their_status(now: datetime):
    failed(number=1, message_type="delivery")
    failed(number=2)
    (group,) = groups(query="message_type=delivery&status=read")
    assert group.sums.people_count == 1
    assert "message_type=delivery" in group.query
    assert groups(query="error_class=garbage") == []


def test_a_cause_is_new_for_a_day_whatever_is_filtered(now: datetime):
    failed(failed_at=now - 23 * HOUR, created_at=now - 23 * HOUR)
    assert groups()[0].state == State.NEW
    failed(failed_at=now - 25 * HOUR, created_at=now - 25 * HOUR)
    assert groups()[0].state == groups(query="period=day")[0].state == State.ONGOING


def test_a_handled_cause_comes_back_with_what_failed_since(now: datetime, make_user: Callable[..., User]):
    awa = make_user(first_name="Awa")
    failed(number=1, failed_at=now - 2 * HOUR)
    mark(BAD_NUMBER, awa, now - HOUR)
    (group,) = groups()
    assert group.mark
    assert (group.state, group.mark.handled_by, group.fresh_count) == (State.HANDLED, awa, 0)

    for number in (2, 3, 4):
        failed(number=number, failed_at=now)
    (group,) = groups()
    assert (group.state, group.fresh_count, group.sums.people_count) == (State.CAME_BACK, 3, 4)
    (of_one,) = groups(query="telephone=76000001")
    assert of_one.state == State.CAME_BACK


def test_each_cause_is_counted_up_to_a_bound(
    now: datetime, make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cause_counts, "COUNTED_AT_MOST", 2)
    for number in range(4):
        failed(number=number, failed_at=now - number * HOUR)
    failed(error_code="131021", failed_at=now)
    mark(BAD_NUMBER, make_user(), now - 5 * HOUR)
    many, one = groups()

    assert (many.sums.message_count, many.fresh_count) == (2, 2)
    assert isinstance(many.sums.message_count, AtLeast)
    assert isinstance(many.sums.people_count, AtLeast)
    assert isinstance(many.fresh_count, AtLeast)
    assert isinstance(many.others_count, AtLeast)
    assert (many.sums.first_at, many.sums.last_at) == (now - 3 * HOUR, now)
    assert [type(one.sums.message_count), type(one.sums.people_count), type(one.fresh_count)] == [int, int, int]


def test_up_to_the_bound_everything_is_counted(now: datetime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cause_counts, "COUNTED_AT_MOST", 2)
    for number in range(2):
        failed(number=number)
    (group,) = groups()
    assert (group.sums.message_count, type(group.sums.message_count)) == (2, int)


def test_words_are_looked_for_among_the_newest_failures(now: datetime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(depth, "LOOKED_THROUGH", 2)
    for days in range(4):
        at = now - timedelta(days=days)
        failed(number=days, message_type="delivery", created_at=at, failed_at=at)
    visible, scope = WhatsAppNotification.objects.all(), scopes.get("agent_mali")
    found = causes.look(visible, scope, Filters.read("message_type=delivery"), now)

    assert found.end
    assert [group.sums.people_count for group in found.groups] == [2]
    assert causes.look(visible, scope, Filters(), now).end is None


def test_a_mark_is_of_one_office_and_one_code(now: datetime, make_user: Callable[..., User]):
    for office in ("agent_mali", "agent_chine"):
        failed(office)
        failed(office, error_code="131021")
    mark(BAD_NUMBER, make_user(), timezone.now())
    assert [group.key for group in groups("admin_mali") if group.state == State.HANDLED] == [BAD_NUMBER]


def test_what_failed_after_the_page_was_made_is_not_handled_with_it(now: datetime, make_user: Callable[..., User]):
    failed(number=1, failed_at=now - 2 * HOUR)
    failed(number=2, failed_at=now - HOUR)
    mark(BAD_NUMBER, make_user(), now, seen_at=now - HOUR - timedelta(minutes=1))
    assert (groups()[0].state, groups()[0].fresh_count) == (State.CAME_BACK, 1)


def test_nobody_handles_what_has_not_failed_yet(now: datetime, make_user: Callable[..., User]):
    failed()
    mark(BAD_NUMBER, make_user(), now, seen_at=now + HOUR)
    assert WhatsAppCauseMark.objects.get().handled_at == now


def test_handling_twice_is_one_mark_and_both_are_in_the_audit_log(now: datetime, make_user: Callable[..., User]):
    failed()
    awa = make_user()
    for _ in range(2):
        mark(BAD_NUMBER, awa, now)
    assert WhatsAppCauseMark.objects.count() == 1
    entries = WhatsAppAuditEntry.objects.filter(action=Action.CAUSE_HANDLED, actor=awa, source_app="agent_mali")
    assert [entry.target for entry in entries] == ["agent_mali recipient_permanent 131026"] * 2


def test_a_cause_without_failures_is_not_handled(now: datetime, make_user: Callable[..., User]):
    failed("agent_chine")
    with pytest.raises(causes.NothingToMark):
        mark(BAD_NUMBER, make_user(), now)
    with pytest.raises(causes.NothingToMark):
        mark(BAD_NUMBER._replace(source_app="agent_chine"), make_user("+22370000002"), now, office="agent_mali")
    assert not WhatsAppCauseMark.objects.exists()
    assert not WhatsAppAuditEntry.objects.exists()


def test_a_handled_cause_is_opened_again(now: datetime, make_user: Callable[..., User]):
    failed()
    awa = make_user()
    mark(BAD_NUMBER, awa, timezone.now())
    assert causes.reopen(BAD_NUMBER, awa, scopes.get("agent_mali"), now)
    assert not causes.reopen(BAD_NUMBER, awa, scopes.get("agent_mali"), now)
    assert groups()[0].state == State.NEW
    assert WhatsAppAuditEntry.objects.filter(detail="reopened").count() == 1


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_cause_has_one_thing_to_do(error_class: ErrorClass):
    failed(error_class=error_class, error_code="")
    (group,) = groups()
    assert group.explanation == EXPLANATIONS[error_class]
    assert group.remedy in (Remedy.RETRY, Remedy.CORRECT, Remedy.CALL, Remedy.ADMINISTRATOR)
    assert (group.remedy is Remedy.RETRY) <= group.explanation.retry_helps


def test_failures_without_a_reason_are_a_group_with_words(now: datetime):
    failed(error_class="", error_code="")
    (group,) = groups()
    assert (group.explanation, group.remedy) == (explanations.WITHOUT_REASON, Remedy.RETRY)
    assert group.label


@pytest.mark.parametrize("code", ["130472", "130497"])
def test_a_right_number_that_is_refused_is_not_to_be_corrected(code: str):
    failed(error_code=code)
    assert groups()[0].remedy is Remedy.CALL


def test_the_questions_are_few_whatever_there_is(now: datetime, make_user: Callable[..., User]):
    awa = make_user()

    def question_count() -> int:
        with CaptureQueriesContext(connection) as asked:
            groups("admin_mali", "period=week")
        return len(asked)

    failed(failed_at=now - HOUR)
    mark(BAD_NUMBER, awa, now - HOUR)
    failed(number=2)
    few = question_count()
    for number in range(40):
        failed(("agent_mali", "agent_chine")[number % 2], number, error_code=str(131000 + number))
        failed(number=number)
    assert question_count() == few <= 7
