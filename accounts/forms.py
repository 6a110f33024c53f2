import zoneinfo
from typing import Any

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm, AuthenticationForm, UserChangeForm
from django.utils.translation import gettext_lazy as _

from accounts import phones
from accounts.models import User


class TelephoneField(forms.CharField):
    """A telephone number in any spelling; its clean value is E.164.

    `country` is the plan for numbers typed without a country code.
    """

    def __init__(self, *, country: str | None = None, **kwargs: Any) -> None:
        self.country = country
        kwargs.setdefault("label", _("Telephone"))
        kwargs.setdefault("widget", forms.TextInput(attrs={"type": "tel", "inputmode": "tel", "autocomplete": "tel"}))
        super().__init__(max_length=40, **kwargs)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if not text:
            return ""
        try:
            return phones.to_e164(text, self.country)
        except phones.InvalidTelephone as error:
            raise forms.ValidationError(str(error)) from error


class LoginForm(AuthenticationForm):
    username = TelephoneField(country="ML")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django allows as many characters as the stored number has; people type spaces too.
        self.fields["username"].widget.attrs.update(maxlength=40, autocomplete="username")

    error_messages = {
        "invalid_login": _(
            "This number and this password do not belong together. Try again, or ask an administrator."
        ),
        "inactive": _("This account is closed. Ask an administrator."),
    }


class NewUserForm(AdminUserCreationForm[User]):
    telephone = TelephoneField(country="ML")

    class Meta:
        model = User
        fields = ("telephone", "role")

    def save(self, commit: bool = True) -> User:
        self.instance.time_zone = phones.time_zone_of(self.instance.telephone)
        return super().save(commit)


class EditUserForm(UserChangeForm[User]):
    telephone = TelephoneField(country="ML")

    class Meta:
        model = User
        fields = "__all__"  # noqa: DJ007 - an administrator's form; its fieldsets name the fields

    def clean_time_zone(self) -> str:
        # Every page of this person is shown in it: a word that is no time zone would break them all.
        time_zone: str = self.cleaned_data["time_zone"]
        if time_zone not in zoneinfo.available_timezones():
            raise forms.ValidationError(
                _("“%(time_zone)s” is not a time zone. Write it like Africa/Bamako."), params={"time_zone": time_zone}
            )
        return time_zone
