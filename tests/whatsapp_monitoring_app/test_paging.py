"""Pages that follow rows: each row is on one of them, whatever arrives meanwhile."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import rows
from whatsapp_monitoring_app.models import Status, WhatsAppAuditEntry, WhatsAppNotification
from whatsapp_monitoring_app.services import paging

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, tzinfo=UTC)
# Seconds at which rows were created; several in the same moment.
MOMENTS = st.lists(st.integers(0, 6), max_size=14)
SIZES = st.integers(1, 5)


def make(moments: list[int]) -> list[uuid.UUID]:
    made = WhatsAppNotification.objects.bulk_create(
        WhatsAppNotification(
            source_app="agent_mali",
            phone_number="+22370123456",
            message_type="x",
            category="x",
            message_content="x",
            status=Status.READ,
            created_at=START + timedelta(seconds=moment),
        )
        for moment in moments
    )
    return [row.pk for row in made]


def begin() -> None:
    WhatsAppNotification.objects.all().delete()


def newest_first() -> list[uuid.UUID]:
    return list(WhatsAppNotification.objects.values_list("pk", flat=True))


def page(size: int, **query: str) -> paging.Page:
    return paging.page(WhatsAppNotification.objects.all(), query, size)


def walk_down(size: int) -> list[paging.Page]:
    pages = [page(size)]
    while pages[-1].older:
        pages.append(page(size, after=pages[-1].older))
    return pages


def walk_up(last: paging.Page, size: int) -> list[paging.Page]:
    pages = [last]
    while pages[0].newer:
        pages.insert(0, page(size, before=pages[0].newer))
    return pages


def keys(pages: list[paging.Page]) -> list[uuid.UUID]:
    return [row.pk for each in pages for row in each]


@given(moments=MOMENTS, size=SIZES)
@settings(max_examples=60, deadline=None)
def test_walking_down_and_up_again_meets_each_row_once_in_order(moments: list[int], size: int):
    begin()
    make(moments)
    down = walk_down(size)
    up = walk_up(down[-1], size)

    assert keys(down) == newest_first()
    assert [len(each) for each in down[:-1]] == [size] * (len(down) - 1)
    assert keys(up) == newest_first()


@given(moments=MOMENTS, size=SIZES, arrivals=st.lists(st.integers(0, 20), max_size=10))
@settings(max_examples=60, deadline=None)
def test_what_arrives_meanwhile_neither_hides_nor_repeats_a_row(moments: list[int], size: int, arrivals: list[int]):
    begin()
    present = set(make(moments))
    pages = [page(size)]
    while pages[-1].older:
        if arrivals:
            make([6 + arrivals.pop()])
        pages.append(page(size, after=pages[-1].older))
    seen = keys(pages)

    assert len(seen) == len(set(seen))
    assert present <= set(seen)
    up = walk_up(pages[-1], size)
    below_the_first = keys(up[1:])
    assert len(below_the_first) == len(set(below_the_first))
    assert list(dict.fromkeys(keys(up))) == newest_first()


@given(moments=MOMENTS, size=SIZES, gone=st.sets(st.integers(0, 13)))
@settings(max_examples=40, deadline=None)
def test_what_is_deleted_meanwhile_takes_no_other_row_away(moments: list[int], size: int, gone: set[int]):
    begin()
    made = make(moments)
    first = page(size)
    doomed = [made[place] for place in gone if place < len(made)]
    WhatsAppNotification.objects.filter(pk__in=doomed).delete()
    pages = [first]
    while pages[-1].older:
        pages.append(page(size, after=pages[-1].older))
        if pages[-1].newer == "":
            break  # nothing older is left: it begins again

    assert set(made) - set(doomed) <= set(keys(pages))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "garbage",
        "-",
        "1-",
        "-1",
        "1-2",
        f"x-{uuid.UUID(int=1)}",
        f"{'9' * 30}-{uuid.UUID(int=1)}",
        f"{'9' * 5000}-{uuid.UUID(int=1)}",
        f"-{'9' * 18}-{uuid.UUID(int=1)}",
        "1-\x00",
        "%27",
    ],
    ids=lambda token: token[:14] or "empty",
)
@pytest.mark.parametrize("way", ["after", "before"])
def test_a_word_that_is_none_of_ours_leads_to_the_first_page(way: str, token: str):
    make([1, 2, 3])

    shown = page(2, **{way: token})
    assert keys([shown]) == newest_first()[:2]
    assert (shown.newer, bool(shown.older)) == ("", True)


def test_after_the_last_row_comes_the_first_page():
    make([1, 2, 3])
    order = paging.Order(WhatsAppNotification)
    last = WhatsAppNotification.objects.last()

    assert keys([page(2, after=order.token(last))]) == newest_first()[:2]


def test_before_few_rows_the_first_page_is_whole():
    make([1, 2, 3, 4, 5])
    third = WhatsAppNotification.objects.all()[2]
    shown = page(4, before=paging.Order(WhatsAppNotification).token(third))

    assert keys([shown]) == newest_first()[:4]
    assert shown.newer == ""


def test_a_list_that_fits_has_no_neighbours():
    make([1, 2])

    assert page(2).is_only
    assert page(3).is_only
    assert not page(1).is_only
    assert len(page(5)) == 2
    assert page(5)[1].pk == newest_first()[1]


def test_no_page_counts_its_way_down():
    make([1] * 5)
    third = page(1, after=page(1, after=page(1).older).older)
    with CaptureQueriesContext(connection) as asked:
        page(1, after=third.older)
        page(1, before=third.newer)

    assert len(asked) == 2
    assert not [query for query in asked.captured_queries if "OFFSET" in query["sql"]]


def test_a_list_with_numbered_rows_and_another_moment_is_paged_too(make_user: Any):
    for _ in range(5):
        WhatsAppAuditEntry.objects.create(at=START, source_app="agent_mali", action="export", actor=make_user())
    everything = WhatsAppAuditEntry.objects.all()
    first = paging.page(everything, {}, 3, moment="at")
    second = paging.page(everything, {"after": first.older}, 3, moment="at")

    assert [row.pk for row in (*first, *second)] == list(everything.values_list("pk", flat=True))
    assert [row.pk for row in paging.page(everything, {"before": second.newer}, 3, moment="at")] == [
        row.pk for row in first
    ]
    assert paging.page(everything, {"after": f"1-{'9' * 40}"}, 3, moment="at").newer == ""


def test_a_count_ends_somewhere():
    rows.notification("agent_mali")
    make([1, 2, 3, 4])

    all_of_them, nothing = WhatsAppNotification.objects.all(), WhatsAppNotification.objects.none()
    assert paging.counts(all_of_them, nothing, all_of_them) == [5, 0, 5]
    assert paging.counts(all_of_them, at_most=5) == [5]
    assert paging.counts(all_of_them, at_most=3) == [4]
    assert paging.counts(nothing, nothing) == [0, 0]
    assert paging.counts(nothing, all_of_them) == [0, 5]
