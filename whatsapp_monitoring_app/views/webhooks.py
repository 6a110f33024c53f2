"""Where providers tell what became of the messages."""

import hmac
import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from whatsapp_monitoring_app import providers, tasks
from whatsapp_monitoring_app.services import webhooks

logger = logging.getLogger(__name__)


@method_decorator(csrf_exempt, name="dispatch")  # the provider has no session; its signature is the proof
class CloudApiWebhookView(View):
    """Meta's webhook: the handshake (GET) and the signed payloads (POST)."""

    def get(self, request: HttpRequest) -> HttpResponse:
        given = request.GET.get("hub.verify_token", "").encode()
        expected = str(settings.WHATSAPP_CLOUD_VERIFY_TOKEN).encode()
        if request.GET.get("hub.mode") != "subscribe" or not hmac.compare_digest(given, expected):
            return HttpResponse("The verify token does not match.", status=403, content_type="text/plain")
        return HttpResponse(request.GET.get("hub.challenge", ""), content_type="text/plain")

    def post(self, request: HttpRequest) -> HttpResponse:
        provider = providers.get("cloud_api")
        if not provider.is_authentic(request.body, request.headers):
            logger.warning("A webhook payload with a wrong signature was refused")
            return JsonResponse({"error": "The signature does not match the body."}, status=403)
        try:
            log = webhooks.store(provider.code, request.body, timezone.now())
        except webhooks.InvalidPayload:
            return JsonResponse({"error": "The body is not a JSON object."}, status=400)
        tasks.after_commit(tasks.apply_whatsapp_webhook, log.pk)
        return JsonResponse({"received": True})
