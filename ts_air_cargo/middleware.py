"""What every request passes: who is believed, what browsers may do, how much is taken in."""

import sys
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts import addresses

Next = Callable[[HttpRequest], HttpResponse]

# What proxies say of the visitor. Each is a header that visitors can write too.
FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO")

# The camera reads the labels of parcels; nothing else of a device is asked for, by us or by whoever got into a page.
PERMISSIONS_POLICY = (
    "camera=(self), accelerometer=(), browsing-topics=(), display-capture=(), encrypted-media=(), fullscreen=(), "
    "geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(), "
    "xr-spatial-tracking=()"
)


class TrustedProxiesMiddleware:
    """What proxies say of a visitor counts when a trusted one says it; from anybody else it never was."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not addresses.is_trusted(str(request.META.get("REMOTE_ADDR", ""))):
            for name in FORWARDED:
                request.META.pop(name, None)
        return self.get_response(request)


class PermissionsPolicyMiddleware:
    """Tell browsers which abilities of the device this site may use."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response


class RequestLimitMiddleware:
    """Refuse what is larger than anything that is asked for, before its body is read."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _is_too_large(request.headers.get("Content-Length", "")):
            return render(request, "413.html", {"limit": settings.REQUEST_LIMIT}, status=413)
        return self.get_response(request)


def _is_too_large(length: str) -> bool:
    """Whether this length says so. What is no number is no body: Django reads no further than it says."""
    if not length.isdecimal() or len(length) > sys.get_int_max_str_digits():
        return False
    return int(length) > settings.REQUEST_LIMIT
