"""From which address somebody asks, whatever stands between them and us."""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def of(request: HttpRequest) -> str:
    """The address that asks: the last one that is no proxy of ours. What stands before it may be an invention."""
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    chain = [str(request.META.get("REMOTE_ADDR", "")), *(text.strip() for text in reversed(forwarded))]
    known = [chain[0], *filter(None, chain[1:])]
    return next((address for address in known if not is_trusted(address)), known[-1])


def is_trusted(address: str) -> bool:
    """Whether this is a proxy of ours: it stands in TRUSTED_PROXIES, or speaks through a socket of this machine."""
    networks = _networks(tuple(settings.TRUSTED_PROXIES))
    if not address:
        return bool(networks)
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in networks)


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)
