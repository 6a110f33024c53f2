from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from agent_chine_app.models import Client, ClientCreation, ClientImport, Colis, ColisStep, Lot, NumberChange
from whatsapp_monitoring_app.admin import Looked, ReadOnly


@admin.register(Client)
class ClientAdmin(admin.ModelAdmin[Client]):
    list_display = ("user", "created_by", "created_at")
    list_select_related = ("user", "created_by")
    show_full_result_count = False
    search_fields = ("user__telephone", "user__first_name", "user__last_name")
    autocomplete_fields = ("user",)


class ColisStepInline(ReadOnly, admin.TabularInline[ColisStep, Colis]):
    model = ColisStep
    fields = ("at", "kind", "by", "note")


class Registered:
    """What the offices register, and what moves by their hands alone: a row made here would have no history."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Lot)
class LotAdmin(Registered, admin.ModelAdmin[Lot]):
    list_display = ("number", "transport", "status", "created_at", "shipped_at", "received_at", "expected_on")
    list_filter = ("status", "transport")
    search_fields = ("number",)
    readonly_fields = ("transport", "status", "created_by", "created_at", "closed_at", "shipped_at", "received_at")


@admin.register(Colis)
class ColisAdmin(Registered, admin.ModelAdmin[Colis]):
    list_display = ("numero_suivi", "client", "lot", "transport", "weight_kg", "fee_fcfa", "status", "created_at")
    list_filter = ("status", "transport")
    list_select_related = ("client__user", "lot")
    search_fields = ("numero_suivi", "client__user__telephone", "client__user__last_name", "lot__number")
    autocomplete_fields = ("client",)
    # The photo is checked and shown by the offices' pages.
    exclude = ("photo",)
    readonly_fields = (
        "numero_suivi",
        "lot",
        "transport",
        "status",
        "created_by",
        "created_at",
        "arrived_at",
        "arrival_told_at",
        "reminded_at",
        "handed_over_at",
        "handed_over_to",
    )
    inlines = (ColisStepInline,)


@admin.register(ClientCreation)
class ClientCreationAdmin(Looked[ClientCreation]):
    found_by_code = ("pk",)
    found_by_number = ("telephone",)
    list_display = ("created_at", "telephone", "last_name", "status", "step", "error")
    list_filter = ("status",)


@admin.register(ClientImport)
class ClientImportAdmin(ReadOnly, admin.ModelAdmin[ClientImport]):
    list_select_related = ("requested_by",)
    search_fields = ("file_name",)
    list_display = ("created_at", "file_name", "status", "new_count", "known_count", "bad_count", "requested_by")
    list_filter = ("status",)
    # Thousands of people, whom the import's own pages show.
    exclude = ("lines", "errors")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClientImport]:
        return ClientImport.objects.light()


@admin.register(NumberChange)
class NumberChangeAdmin(ReadOnly, admin.ModelAdmin[NumberChange]):
    list_select_related = ("client__user", "by")
    list_display = ("at", "client", "old", "new", "by")
    search_fields = ("old", "new")
