"""Addresses of Meta's Graph API."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from django.conf import settings

from whatsapp_monitoring_app.providers.base import Account, HttpRequest


def address(node: str) -> str:
    """Where Meta keeps something, by its id."""
    return f"{settings.WHATSAPP_CLOUD_API_URL}/{settings.WHATSAPP_CLOUD_API_VERSION}/{quote(node, safe='')}"


def headers(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.token}"}


def question(url: str, account: Account, query: Mapping[str, str]) -> HttpRequest:
    """A request that changes nothing."""
    return HttpRequest(url=f"{url}?{urlencode(query, safe=',')}", headers=headers(account), method="GET")
