"""The senders, whose tokens are written and never shown."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from whatsapp_monitoring_app import forms
from whatsapp_monitoring_app.forms import TokenField
from whatsapp_monitoring_app.models import WhatsAppSender
from whatsapp_monitoring_app.services import circuit, health, senders

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
    list_per_page = 50
    list_filter = ("provider", "is_active")
    list_display = ("label", "provider", "account_id", "is_active", "is_connected", "checked_at", "stopped_until")
    search_fields = ("code", "label", "account_id", "address")

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
