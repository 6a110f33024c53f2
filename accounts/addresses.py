from django.conf import settings
from django.http import HttpRequest


def of(request: HttpRequest) -> str:
    """The address that asks: behind our proxy what it added last. What stands before that may be an invention."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.SECURE_PROXY_SSL_HEADER else ""
    return forwarded.rpartition(",")[2].strip() or str(request.META.get("REMOTE_ADDR", ""))
