"""The messages, each try, and what the providers said: written by the engine, looked at here."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.admin.base import Looked, OfficeFilter, ReadOnly
from whatsapp_monitoring_app.models import (
    WhatsAppAttempt,
    WhatsAppNotification,
    WhatsAppReceipt,
    WhatsAppSubject,
    WhatsAppWebhookLog,
)


class AttemptInline(ReadOnly, admin.TabularInline[WhatsAppAttempt, WhatsAppNotification]):
    model = WhatsAppAttempt
    fields = ("number", "trigger", "started_at", "duration", "outcome", "http_status", "error_code", "error_message")


class SubjectInline(ReadOnly, admin.TabularInline[WhatsAppSubject, WhatsAppNotification]):
    model = WhatsAppSubject
    fields = ("name", "fact_rank")


@admin.register(WhatsAppNotification)
class NotificationAdmin(Looked[WhatsAppNotification]):
    list_display = ("created_at", "source_app", "phone_number", "title", "status", "error_class", "attempt_count")
    list_filter = ("status", "error_class", OfficeFilter, ("created_at", admin.DateFieldListFilter))
    list_select_related = False
    found_by_code = ("code",)
    found_by_number = ("phone_number",)
    found_by_word = ("provider_message_id",)
    search_help_text = _("A message’s code, a telephone number in any spelling, or a provider’s id; in full.")
    inlines = (AttemptInline, SubjectInline)


@admin.register(WhatsAppAttempt)
class AttemptAdmin(Looked[WhatsAppAttempt]):
    list_display = ("started_at", "notification_id", "number", "trigger", "outcome", "http_status", "error_code")
    list_filter = ("outcome", "trigger")
    ordering = ("-pk",)
    found_by_code = ("notification",)
    search_help_text = _("The code of the message, in full.")


@admin.register(WhatsAppReceipt)
class ReceiptAdmin(Looked[WhatsAppReceipt]):
    list_display = ("received_at", "provider_message_id", "status", "error_code", "applied_at")
    list_filter = ("status",)
    ordering = ("-pk",)
    found_by_code = ("notification",)
    search_help_text = _("The code of the message, in full.")


@admin.register(WhatsAppWebhookLog)
class WebhookLogAdmin(Looked[WhatsAppWebhookLog]):
    list_display = ("received_at", "provider", "processed_at", "error")
    list_filter = (("received_at", admin.DateFieldListFilter),)
    ordering = ("-received_at",)


@admin.register(WhatsAppSubject)
class SubjectAdmin(Looked[WhatsAppSubject]):
    list_display = ("name", "notification_id", "fact_rank")
    ordering = ("-pk",)
    found_by_code = ("notification",)
    found_by_word = ("name",)
    search_help_text = _("The code of the message, or a subject such as colis:TS1A2B3C4D; in full.")
