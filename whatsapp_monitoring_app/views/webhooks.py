"""Where providers tell what became of the messages."""

import hmac
import logging

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from accounts import addresses
from whatsapp_monitoring_app import providers, tasks
from whatsapp_monitoring_app.providers.base import Provider
from whatsapp_monitoring_app.services import floods, webhooks

logger = logging.getLogger(__name__)


@method_decorator(csrf_exempt, name="dispatch")  # the provider has no session; its signature is the proof
class WebhookView(View):
    """A provider's webhook: signed payloads (POST). What costs less to find out is found out first."""

    provider = ""

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            provider = providers.get(self.provider)
        except KeyError as error:
            raise Http404 from error
        address = addresses.of(request)
        refusal = _refuse_unread(request, provider, address)
        if refusal:
            return refusal
        try:
            log = webhooks.receive(provider.code, _post(request), timezone.now())
        except webhooks.NotAuthentic:
            logger.warning("A webhook payload for %s with a wrong signature was refused", provider.code)
            floods.note_refusal(address)
            return _refusal(403, "The signature does not match the body.")
        except webhooks.InvalidPayload:
            return _refusal(400, "The body is not what its provider writes.")
        floods.note_proof(address)
        tasks.ring_for_payload_after_commit(log.pk)
        content_type, text = provider.acknowledgement
        return HttpResponse(text, content_type=content_type)


class CloudApiWebhookView(WebhookView):
    """Meta's webhook: the handshake (GET) too."""

    provider = "cloud_api"

    def get(self, request: HttpRequest) -> HttpResponse:
        given = request.GET.get("hub.verify_token", "").encode()
        expected = str(settings.WHATSAPP_CLOUD_VERIFY_TOKEN).encode()
        if request.GET.get("hub.mode") != "subscribe" or not hmac.compare_digest(given, expected):
            return HttpResponse("The verify token does not match.", status=403, content_type="text/plain")
        return HttpResponse(request.GET.get("hub.challenge", ""), content_type="text/plain")


def _refuse_unread(request: HttpRequest, provider: Provider, address: str) -> HttpResponse | None:
    """The refusal that needs no look at the body, if there is one."""
    length = _length(request)
    if length is None:
        return _refusal(400, "The length of the body is no number.")
    if length > settings.WEBHOOK_LIMIT:
        return _refusal(413, f"The body is larger than {settings.WEBHOOK_LIMIT} bytes.")
    if length and request.content_type not in provider.content_types:
        return _refusal(415, f"The body must be {' or '.join(provider.content_types)}.")
    if floods.is_flooding(address):
        refusal = _refusal(429, "Too many posts with a wrong signature.")
        refusal["Retry-After"] = str(int(floods.MINUTE.total_seconds()))
        return refusal
    return None


def _refusal(status: int, sentence: str) -> HttpResponse:
    return JsonResponse({"error": sentence}, status=status)


def _length(request: HttpRequest) -> int | None:
    """What the header says. Without one there is no body, and the web server reads no further than it says."""
    try:
        return int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return None


def _post(request: HttpRequest) -> webhooks.Post:
    query = request.META.get("QUERY_STRING", "")
    # The provider knows the public address; a proxy may have changed scheme, host and port since.
    public = f"{settings.PUBLIC_BASE_URL}{request.path}" + (f"?{query}" if query else "")
    urls = tuple(dict.fromkeys([public, request.build_absolute_uri()]))
    return webhooks.Post(request.body, request.headers, urls)
