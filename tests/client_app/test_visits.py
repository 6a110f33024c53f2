"""Who tries number after number has to wait; everybody else does not notice."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from client_app import visits
from tests.client_app.shipments import client, parcel
from tests.outages import redis_away
from whatsapp_monitoring_app.services import shared_memory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE, THERE = "198.51.100.7", "198.51.100.8"
# Redis there, and Redis away: the same rules, by all processes or by each.
MEMORIES: list[Callable[[], AbstractContextManager[None]]] = [nullcontext, redis_away]
EITHER = pytest.mark.parametrize("memory", MEMORIES, ids=["redis", "no-redis"])


@pytest.fixture(autouse=True)
def _forget(settings: Any) -> None:
    visits._here.clear()


def get(number: str = "TS00000000", address: str = HERE, **headers: str) -> Any:
    return Browser(REMOTE_ADDR=address, headers=headers).get(f"/suivi/{number}/")


@EITHER
def test_after_many_numbers_of_nobody_further_ones_wait_and_a_true_one_opens(memory: Callable[..., Any]):
    number = parcel(client()).numero_suivi
    with memory():
        assert {get().status_code for _ in range(visits.MISSES)} == {404}
        answer = get()

        assert answer.status_code == Browser(REMOTE_ADDR=HERE).get("/suivi/", {"number": "?"}).status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= visits.PERIOD.total_seconds()
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert "10 minutes" in answer.content.decode()
        assert Browser(REMOTE_ADDR=HERE).get("/suivi/").status_code == get(number).status_code == 200
        assert get(address=THERE).status_code == 404


@EITHER
def test_after_very_many_requests_one_has_to_wait(memory: Callable[..., Any]):
    number = parcel(client()).numero_suivi
    with memory():
        for _ in range(visits.REQUESTS - 1):
            assert visits.wait_of(HERE, timezone.now()) == timedelta()
        assert get(number).status_code == 200
        assert get(number).status_code == 429


def test_a_client_who_looks_at_their_own_pages_does_not_wait():
    for _ in range(visits.REQUESTS + 1):
        visits.wait_of(HERE, NOW)
    assert Browser(REMOTE_ADDR=HERE).get("/login/").status_code == 200


def test_a_process_forgets_after_the_period_and_remembers_so_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(visits, "REMEMBERED", 4)
    with redis_away():
        for _ in range(visits.MISSES):
            assert visits.wait_of_miss(HERE, NOW) == timedelta()
        assert visits.wait_of_miss(HERE, NOW + timedelta(minutes=4)) == timedelta(minutes=6)
        assert visits.wait_of_miss(HERE, NOW + visits.PERIOD) == timedelta()
        for number in range(20):
            visits.wait_of(f"192.0.2.{number}", NOW)
        assert len(visits._here) <= 5


def test_redis_forgets_after_the_period():
    visits.wait_of_miss(HERE, NOW)
    visits.wait_of_miss(HERE, NOW)
    memory = shared_memory.client()
    (key,) = memory.scan_iter("tracking:misses:*")
    assert 0 < memory.pttl(key) <= visits.PERIOD.total_seconds() * 1000


def test_neighbours_on_one_ipv6_line_count_together():
    for number in range(visits.MISSES):
        visits.wait_of_miss(f"2001:db8:1:1::{number:x}", NOW)
    assert visits.wait_of_miss("2001:db8:1:1:ffff::1", NOW)
    assert not visits.wait_of_miss("2001:db8:1:2::1", NOW)


@pytest.mark.parametrize("is_behind_proxy", [True, False])
def test_only_our_own_proxy_says_whose_address_it_is(is_behind_proxy: bool, settings: Any):
    settings.TRUSTED_PROXIES = [HERE] if is_behind_proxy else ["192.0.2.0/24"]
    for number in range(visits.MISSES):
        get(**{"X-Forwarded-For": f"203.0.113.{number}, {THERE}"})

    assert bool(visits.wait_of_miss(THERE, NOW)) == is_behind_proxy
    assert bool(visits.wait_of_miss(HERE, NOW)) != is_behind_proxy
    assert not visits.wait_of_miss("203.0.113.0", NOW)


def test_an_address_that_is_none_counts_as_it_stands():
    for _ in range(visits.MISSES):
        visits.wait_of_miss("unknown", NOW)
    assert visits.wait_of_miss("unknown", NOW)
