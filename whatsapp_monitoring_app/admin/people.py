"""What people wrote and chose, and which of their numbers are no good."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.admin.base import Large, Looked
from whatsapp_monitoring_app.models import (
    WhatsAppFormerNumber,
    WhatsAppInbound,
    WhatsAppMute,
    WhatsAppOptOut,
    WhatsAppWrongNumber,
)

A_NUMBER = _("A telephone number in any spelling, in full.")


@admin.register(WhatsAppInbound)
class InboundAdmin(Looked[WhatsAppInbound]):
    list_display = ("occurred_at", "phone_number", "profile_name", "said", "account_id")
    ordering = ("-pk",)
    found_by_number = ("phone_number",)
    found_by_word = ("provider_message_id",)
    search_help_text = _("A telephone number in any spelling, or a provider’s id; in full.")


@admin.register(WhatsAppOptOut)
class OptOutAdmin(Large[WhatsAppOptOut]):
    list_display = ("phone_number", "reason", "created_at")
    ordering = ("-pk",)
    found_by_number = ("phone_number",)
    search_help_text = A_NUMBER


@admin.register(WhatsAppMute)
class MuteAdmin(Looked[WhatsAppMute]):
    list_display = ("created_at", "user", "message_type")
    list_select_related = ("user",)
    ordering = ("-pk",)
    found_by_number = ("user__telephone",)
    search_help_text = A_NUMBER


@admin.register(WhatsAppFormerNumber)
class FormerNumberAdmin(Looked[WhatsAppFormerNumber]):
    list_display = ("created_at", "user", "phone_number")
    list_select_related = ("user",)
    ordering = ("-pk",)
    found_by_number = ("phone_number", "user__telephone")
    search_help_text = A_NUMBER


@admin.register(WhatsAppWrongNumber)
class WrongNumberAdmin(Looked[WhatsAppWrongNumber]):
    list_display = ("created_at", "phone_number", "noted_by")
    list_select_related = ("noted_by",)
    ordering = ("-pk",)
    found_by_number = ("phone_number",)
    search_help_text = A_NUMBER
