from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.forms import EditUserForm, NewUserForm
from accounts.models import User


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    form = EditUserForm
    add_form = NewUserForm
    list_display = ("telephone", "first_name", "last_name", "role", "language", "is_active")
    list_filter = ("role", "language", "is_active", "is_staff")
    search_fields = ("telephone", "first_name", "last_name", "email")
    ordering = ("telephone",)
    fieldsets = (
        (None, {"fields": ("telephone", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email", "language", "time_zone")}),
        (_("Rights"), {"fields": ("role", "is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("telephone", "role", "usable_password", "password1", "password2")}),)

    def save_related(self, request: HttpRequest, form: forms.ModelForm[User], formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        form.instance.join_office_of_role()
