"""The monitoring's addresses: the same screens for every office, and the providers' webhooks."""

from django.urls import URLPattern, path

from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.views import monitoring, webhooks

urlpatterns = [
    path("cloud/", webhooks.CloudApiWebhookView.as_view(), name="whatsapp_cloud_webhook"),
    path("wachap/", webhooks.WebhookView.as_view(provider="wachap"), name="whatsapp_wachap_webhook"),
    path("twilio/", webhooks.WebhookView.as_view(provider="twilio"), name="whatsapp_twilio_webhook"),
]


def monitoring_urls(scope: Scope) -> list[URLPattern]:
    """The monitoring screens of one office, under `whatsapp/monitoring/`."""
    return [
        path("whatsapp/monitoring/", monitoring.DashboardView.as_view(scope=scope), name="whatsapp_monitoring"),
        path(
            "whatsapp/monitoring/list/",
            monitoring.NotificationListView.as_view(scope=scope),
            name="whatsapp_monitoring_list",
        ),
        path(
            "whatsapp/monitoring/retry/",
            monitoring.RetryFailedView.as_view(scope=scope),
            name="whatsapp_retry_failed",
        ),
        *details_urls(scope),
    ]


def details_urls(scope: Scope) -> list[URLPattern]:
    """The screens of one message, for an office that binds the other screens itself."""
    return [
        path(
            "whatsapp/monitoring/<uuid:code>/",
            monitoring.DetailsView.as_view(scope=scope),
            name="whatsapp_attempt_details",
        ),
        path(
            "whatsapp/monitoring/<uuid:code>/retry/", monitoring.RetryView.as_view(scope=scope), name="whatsapp_retry"
        ),
        path(
            "whatsapp/monitoring/<uuid:code>/cancel/",
            monitoring.CancelView.as_view(scope=scope),
            name="whatsapp_cancel",
        ),
        path(
            "whatsapp/monitoring/<uuid:code>/arrived/",
            monitoring.ConfirmArrivalView.as_view(scope=scope),
            name="whatsapp_confirm_arrival",
        ),
        path(
            "whatsapp/monitoring/<uuid:code>/give-up/",
            monitoring.GiveUpView.as_view(scope=scope),
            name="whatsapp_give_up",
        ),
    ]
