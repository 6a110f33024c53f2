"""The message templates, and what the providers say of theirs."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.admin.base import ReadOnly
from whatsapp_monitoring_app.models import WhatsAppProviderTemplate, WhatsAppTemplate, WhatsAppTemplateName
from whatsapp_monitoring_app.services.template_states import LANGUAGE_NAMES, written_in
from whatsapp_monitoring_app.template_forms import VariablesField


class NameInline(admin.TabularInline[WhatsAppTemplateName, WhatsAppTemplate]):
    model = WhatsAppTemplateName
    extra = 0

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        return _with_variables(db_field) or super().formfield_for_dbfield(db_field, request, **options)


def _with_variables(db_field: Any) -> VariablesField | None:
    """Names of variables are typed as in the offices, not as JSON."""
    if not db_field.name.endswith("variables"):
        return None
    return VariablesField(label=capfirst(db_field.verbose_name), help_text=db_field.help_text)


@admin.register(WhatsAppTemplate)
class TemplateAdmin(admin.ModelAdmin[WhatsAppTemplate]):
    list_display = ("code", "label", "message_type", "is_active")
    search_fields = ("code", "label", "message_type")
    readonly_fields = ("preview",)
    inlines = (NameInline,)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        return _with_variables(db_field) or super().formfield_for_dbfield(db_field, request, **options)

    def get_readonly_fields(self, request: HttpRequest, obj: WhatsAppTemplate | None = None) -> tuple[str, ...]:
        # Callers and providers know it by its code.
        return ("code", "preview") if obj else ("preview",)

    def has_delete_permission(self, request: HttpRequest, obj: WhatsAppTemplate | None = None) -> bool:
        return False

    @admin.display(description=_("preview"))
    def preview(self, template: WhatsAppTemplate) -> str:
        return format_html_join(
            "",
            "<p><b>{}</b><br>{}</p>",
            ((LANGUAGE_NAMES[one], template.preview(one)) for one in written_in(template)),
        )


@admin.register(WhatsAppProviderTemplate)
class ProviderTemplateAdmin(ReadOnly, admin.ModelAdmin[WhatsAppProviderTemplate]):
    list_display = ("name", "language", "provider", "status", "category", "quality", "synced_at", "stopped_until")
    list_filter = ("provider", "status", "language")
    search_fields = ("name", "business_account_id")


@admin.register(WhatsAppTemplateName)
class TemplateNameAdmin(ReadOnly, admin.ModelAdmin[WhatsAppTemplateName]):
    """To look for; the names are edited with their template."""

    list_display = ("name", "template", "sender", "language", "provider_language")
    list_select_related = ("template", "sender")
    list_filter = ("sender", "language")
    search_fields = ("name", "template__code")
