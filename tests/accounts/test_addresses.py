"""Whose address it is: only our own proxies are believed."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from accounts import addresses
from ts_air_cargo.middleware import FORWARDED, TrustedProxiesMiddleware

CADDY, BALANCER, VISITOR, INVENTED = "172.30.77.3", "10.0.0.9", "203.0.113.5", "198.51.100.1"


@pytest.fixture(autouse=True)
def _proxies(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["172.30.77.0/24", BALANCER, "2001:db8::/64"]


def address(peer: str, forwarded: str = "") -> str:
    return addresses.of(RequestFactory(REMOTE_ADDR=peer).get("/", headers={"X-Forwarded-For": forwarded}))


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        (CADDY, VISITOR, VISITOR),
        (CADDY, f"{INVENTED}, {VISITOR}", VISITOR),
        (CADDY, f"{INVENTED},{VISITOR} , {BALANCER}", VISITOR),
        (CADDY, f"{VISITOR}, ", VISITOR),
        (CADDY, f"{VISITOR}, unknown", "unknown"),
        (CADDY, f"{BALANCER}, {CADDY}", BALANCER),
        (CADDY, "", CADDY),
        (VISITOR, INVENTED, VISITOR),
        (VISITOR, f"{INVENTED}, {CADDY}", VISITOR),
        ("2001:db8::3", "2001:db8:1::9", "2001:db8:1::9"),
        (f"::ffff:{CADDY}", VISITOR, VISITOR),
        ("", VISITOR, VISITOR),  # a socket of this machine
    ],
)
def test_the_address_is_the_last_that_is_no_proxy_of_ours(peer: str, forwarded: str, found: str):
    assert address(peer, forwarded) == found


@pytest.mark.parametrize("peer", [VISITOR, CADDY, ""])
def test_without_proxies_nobody_is_believed(peer: str, settings: Any):
    settings.TRUSTED_PROXIES = []
    assert address(peer, INVENTED) == peer


def left_of(peer: str) -> set[str]:
    """The headers of proxies that reach the site."""
    seen: list[set[str]] = []

    def note(request: HttpRequest) -> HttpResponse:
        seen.append(set(request.META))
        return HttpResponse()

    said: dict[str, Any] = dict.fromkeys(FORWARDED, "https")
    TrustedProxiesMiddleware(note)(RequestFactory(REMOTE_ADDR=peer, **said).get("/"))
    return seen[0] & set(FORWARDED)


def test_what_strangers_say_in_the_name_of_a_proxy_never_arrives():
    assert left_of(CADDY) == set(FORWARDED)
    assert left_of(VISITOR) == set()
