"""What people do with many messages at once, and what watches over the whole."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.admin.base import Large, Looked, OfficeFilter
from whatsapp_monitoring_app.models import (
    WhatsAppAlert,
    WhatsAppAlertChoice,
    WhatsAppAuditEntry,
    WhatsAppCauseMark,
    WhatsAppErrorCode,
    WhatsAppExport,
    WhatsAppPulse,
    WhatsAppRetryBatch,
    WhatsAppRetryItem,
    WhatsAppSavedView,
)


@admin.register(WhatsAppErrorCode)
class ErrorCodeAdmin(admin.ModelAdmin[WhatsAppErrorCode]):
    """The codes and their classes come from the program; the words are the administrators'."""

    list_display = ("provider", "code", "error_class", "is_classified", "last_seen_at", "meaning_fr")
    list_filter = ("is_classified", "error_class", "provider")
    search_fields = ("code", "example", "meaning_fr")
    readonly_fields = ("provider", "code", "error_class", "is_classified", "example", "last_seen_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(WhatsAppRetryBatch)
class RetryBatchAdmin(Looked[WhatsAppRetryBatch]):
    list_display = ("created_at", "source_app", "state", "total", "created_by", "finished_at")
    list_select_related = ("created_by",)
    list_filter = ("state", OfficeFilter)
    found_by_code = ("code",)
    search_help_text = _("A code, in full.")


@admin.register(WhatsAppRetryItem)
class RetryItemAdmin(Looked[WhatsAppRetryItem]):
    list_display = ("batch_id", "notification_id", "is_canary", "queued_at", "refusal")
    ordering = ("-pk",)
    found_by_code = ("batch", "notification")
    search_help_text = _("The code of the batch or of the message, in full.")


@admin.register(WhatsAppExport)
class ExportAdmin(Looked[WhatsAppExport]):
    list_display = ("created_at", "source_app", "format", "requested_by", "total", "finished_at", "expires_at")
    list_select_related = ("requested_by",)
    list_filter = ("format", OfficeFilter)
    found_by_code = ("code",)
    search_help_text = _("A code, in full.")


@admin.register(WhatsAppSavedView)
class SavedViewAdmin(Large[WhatsAppSavedView]):
    list_display = ("name", "source_app", "owner", "is_shared", "created_at")
    list_select_related = ("owner",)
    list_filter = ("is_shared", OfficeFilter)
    raw_id_fields = ("owner",)
    found_by_word = ("name",)


@admin.register(WhatsAppAlert)
class AlertAdmin(Looked[WhatsAppAlert]):
    list_display = ("opened_at", "kind", "key", "source_app", "resolved_at", "taken_by")
    list_select_related = ("taken_by",)
    list_filter = ("kind", ("resolved_at", admin.EmptyFieldListFilter))
    found_by_code = ("code",)
    found_by_word = ("key",)


@admin.register(WhatsAppAlertChoice)
class AlertChoiceAdmin(Large[WhatsAppAlertChoice]):
    list_display = ("user", "by_email", "by_whatsapp")
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    ordering = ("-pk",)
    found_by_number = ("user__telephone",)


@admin.register(WhatsAppPulse)
class PulseAdmin(Looked[WhatsAppPulse]):
    list_display = ("part", "at")
    found_by_word = ("part",)


@admin.register(WhatsAppAuditEntry)
class AuditEntryAdmin(Looked[WhatsAppAuditEntry]):
    """Read-only for everybody: a log that somebody can correct is none."""

    list_display = ("at", "source_app", "actor", "action", "target", "detail")
    list_select_related = ("actor",)
    list_filter = ("action", OfficeFilter, ("at", admin.DateFieldListFilter))
    found_by_word = ("target",)
    search_help_text = _("The code or the name of what something was done to, in full.")


@admin.register(WhatsAppCauseMark)
class CauseMarkAdmin(Looked[WhatsAppCauseMark]):
    list_display = ("handled_at", "source_app", "error_class", "error_code", "handled_by")
    list_select_related = ("handled_by",)
    list_filter = (OfficeFilter,)
    found_by_word = ("error_code",)
