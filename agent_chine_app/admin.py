from django.contrib import admin

from agent_chine_app.models import Client, ClientCreation, Colis, Lot
from whatsapp_monitoring_app.admin import ReadOnly


@admin.register(Client)
class ClientAdmin(admin.ModelAdmin[Client]):
    list_display = ("user", "created_by", "created_at")
    search_fields = ("user__telephone", "user__first_name", "user__last_name")
    autocomplete_fields = ("user",)


@admin.register(Lot)
class LotAdmin(admin.ModelAdmin[Lot]):
    list_display = ("number", "status", "created_at")
    list_filter = ("status",)


@admin.register(Colis)
class ColisAdmin(admin.ModelAdmin[Colis]):
    list_display = ("numero_suivi", "client", "status", "created_at")
    list_filter = ("status",)
    search_fields = ("numero_suivi", "client__user__telephone", "client__user__last_name")
    autocomplete_fields = ("client",)


@admin.register(ClientCreation)
class ClientCreationAdmin(ReadOnly, admin.ModelAdmin[ClientCreation]):
    list_display = ("created_at", "telephone", "last_name", "status", "step", "error")
    list_filter = ("status",)
