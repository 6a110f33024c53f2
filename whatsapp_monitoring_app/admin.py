from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from whatsapp_monitoring_app import forms
from whatsapp_monitoring_app.forms import TokenField
from whatsapp_monitoring_app.models import (
    WhatsAppAttempt,
    WhatsAppBulk,
    WhatsAppErrorCode,
    WhatsAppInbound,
    WhatsAppNotification,
    WhatsAppOptOut,
    WhatsAppProviderTemplate,
    WhatsAppReceipt,
    WhatsAppSender,
    WhatsAppTemplate,
    WhatsAppTemplateName,
    WhatsAppWebhookLog,
)
from whatsapp_monitoring_app.services import circuit, health, senders
from whatsapp_monitoring_app.services.template_states import LANGUAGE_NAMES, written_in
from whatsapp_monitoring_app.template_forms import VariablesField


class ReadOnly:
    """What the engine writes is looked at here, never edited: a status changed by hand would lie."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AttemptInline(ReadOnly, admin.TabularInline[WhatsAppAttempt, WhatsAppNotification]):
    model = WhatsAppAttempt
    fields = ("number", "trigger", "started_at", "duration", "outcome", "http_status", "error_code", "error_message")


@admin.register(WhatsAppNotification)
class NotificationAdmin(ReadOnly, admin.ModelAdmin[WhatsAppNotification]):
    list_display = ("created_at", "source_app", "phone_number", "title", "status", "attempt_count")
    list_filter = ("status", "error_class", "source_app")
    search_fields = ("code", "phone_number", "provider_message_id", "subject")
    inlines = (AttemptInline,)


@admin.register(WhatsAppReceipt)
class ReceiptAdmin(ReadOnly, admin.ModelAdmin[WhatsAppReceipt]):
    list_display = ("received_at", "provider_message_id", "status", "applied_at")
    list_filter = ("status",)
    search_fields = ("provider_message_id", "tracking")


@admin.register(WhatsAppWebhookLog)
class WebhookLogAdmin(ReadOnly, admin.ModelAdmin[WhatsAppWebhookLog]):
    list_display = ("received_at", "provider", "processed_at", "error")
    list_filter = ("provider",)


@admin.register(WhatsAppBulk)
class BulkAdmin(ReadOnly, admin.ModelAdmin[WhatsAppBulk]):
    list_display = ("created_at", "source_app", "title", "created_by", "finished_at")


@admin.register(WhatsAppInbound)
class InboundAdmin(ReadOnly, admin.ModelAdmin[WhatsAppInbound]):
    list_display = ("occurred_at", "phone_number", "profile_name", "said", "account_id")
    search_fields = ("phone_number", "text")


@admin.register(WhatsAppOptOut)
class OptOutAdmin(admin.ModelAdmin[WhatsAppOptOut]):
    list_display = ("phone_number", "reason", "created_at")
    search_fields = ("phone_number",)


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


STOP = ("stopped_until", "stop_class", "stop_reason")


class SenderForm(forms.SenderForm):
    new_token = TokenField(
        label=_("New token"),
        required=False,
        help_text=_("Written, never shown. Leave empty to keep the present one."),
    )

    class Meta(forms.SenderForm.Meta):
        fields = ("code", *forms.SenderForm.Meta.fields, "is_active", *STOP)

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data["new_token"]:
            self.instance.token = self.cleaned_data["new_token"]
        return super().save(commit)


@admin.register(WhatsAppSender)
class SenderAdmin(admin.ModelAdmin[WhatsAppSender]):
    form = SenderForm
    actions = ("resume", "check_now")
    list_display = ("label", "provider", "account_id", "is_active", "is_connected", "checked_at", "stopped_until")
    search_fields = ("code", "label")

    def get_readonly_fields(self, request: HttpRequest, obj: WhatsAppSender | None = None) -> tuple[str, ...]:
        # Offices find their sender by its code; the stop belongs to the circuit breaker, the health to the provider.
        return ("code", *STOP, *senders.FACTS) if obj else STOP

    def has_delete_permission(self, request: HttpRequest, obj: WhatsAppSender | None = None) -> bool:
        return False

    @admin.action(description=_("Resume: the account works again"))
    def resume(self, request: HttpRequest, queryset: QuerySet[WhatsAppSender]) -> None:
        for sender in queryset:
            circuit.resume(sender, timezone.now())
        self.message_user(request, _("The messages that waited leave within a minute, slowly at first."))

    @admin.action(description=_("Check now: ask the provider how the account is"))
    def check_now(self, request: HttpRequest, queryset: QuerySet[WhatsAppSender]) -> None:
        answered = sum(health.check(sender, timezone.now()) for sender in queryset)
        text = ngettext("%(count)d sender answered.", "%(count)d senders answered.", answered)
        self.message_user(request, text % {"count": answered})

    def save_model(self, request: HttpRequest, obj: WhatsAppSender, form: Any, change: bool) -> None:
        if change:
            # Only what was edited: a token that no key opens at the moment must stay as it is stored.
            obj.save(update_fields={"token" if name == "new_token" else name for name in form.changed_data})
        else:
            super().save_model(request, obj, form, change)
        changed = set(form.changed_data)
        if change and changed & {"provider", "account_id", "business_account_id", "new_token"}:
            senders.forget_facts(obj)
        if changed & {"provider", "account_id", "address", "new_token", "is_active"}:
            # Somebody has mended it: the messages need not wait for the next probe.
            circuit.resume(obj, timezone.now())
