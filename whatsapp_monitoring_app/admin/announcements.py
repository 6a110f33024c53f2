"""What was said to many at once, and who was called about it."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.admin.base import Looked, OfficeFilter
from whatsapp_monitoring_app.models import WhatsAppAddressee, WhatsAppAnnouncement, WhatsAppBulk, WhatsAppCall


@admin.register(WhatsAppAnnouncement)
class AnnouncementAdmin(Looked[WhatsAppAnnouncement]):
    list_display = ("created_at", "source_app", "title", "subject", "created_by")
    list_select_related = ("created_by",)
    list_filter = (OfficeFilter, ("created_at", admin.DateFieldListFilter))
    found_by_code = ("code",)
    found_by_word = ("subject",)
    search_help_text = _("A code, or a subject such as lot:GZ-0412; in full.")


@admin.register(WhatsAppAddressee)
class AddresseeAdmin(Looked[WhatsAppAddressee]):
    list_display = ("announcement", "user", "template", "notification_id", "informed_at")
    list_select_related = ("announcement", "user")
    ordering = ("-pk",)
    found_by_code = ("announcement", "notification")
    search_help_text = _("The code of the announcement or of the message, in full.")


@admin.register(WhatsAppBulk)
class BulkAdmin(Looked[WhatsAppBulk]):
    list_display = ("created_at", "source_app", "title", "created_by", "finished_at")
    list_select_related = ("created_by",)
    list_filter = (OfficeFilter,)
    found_by_code = ("code",)
    search_help_text = _("A code, in full.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WhatsAppBulk]:
        # Thousands of people each.
        return super().get_queryset(request).defer("user_ids", "refusals")


@admin.register(WhatsAppCall)
class CallAdmin(Looked[WhatsAppCall]):
    list_display = ("at", "source_app", "phone_number", "person", "outcome")
    list_select_related = ("person",)
    list_filter = ("outcome", OfficeFilter, ("at", admin.DateFieldListFilter))
    found_by_number = ("phone_number",)
    search_help_text = _("A telephone number in any spelling, in full.")
