"""What agents fill in about clients."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import phones
from accounts.forms import TelephoneField
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.models import Client


class ClientForm(forms.Form):
    """A new client. `request_id` is made with the form: posting it twice asks for one client."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    first_name = forms.CharField(label=gettext_lazy("First name"), max_length=150)
    last_name = forms.CharField(label=gettext_lazy("Last name"), max_length=150)
    telephone = TelephoneField(
        country=AgentChineConfig.scope.country,
        widget=forms.TextInput(attrs={"type": "tel", "inputmode": "tel", "autocomplete": "off"}),
        help_text=gettext_lazy("With the country code, for example +223 76 12 34 56. Chinese numbers may do without."),
    )
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)
    language = forms.ChoiceField(label=gettext_lazy("Language of the messages"), choices=settings.LANGUAGES)


class NewLinkForm(forms.Form):
    """A new first-password link. `request_id` is made with the form: posting it twice sends one."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, client: Client, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        if client.shares_phone:
            # Whoever opens the link first chooses the password.
            label = _("Others use this telephone too: %(client)s has it in hand now.") % {"client": client}
            self.fields["is_in_hand"] = forms.BooleanField(label=label)


class NumberForm(forms.Form):
    """A client's telephone. `opened_with` is the number that they had when the form was opened."""

    opened_with = forms.CharField(widget=forms.HiddenInput, max_length=16)
    old_is_strangers = forms.BooleanField(
        label=gettext_lazy("Somebody else answers at the old number"),
        required=False,
        help_text=gettext_lazy(
            "Counts only when you change the number: nothing more is written to the old one, a password chosen there "
            "is taken away, and what arrived there can be sent again."
        ),
    )
    field_order: Sequence[str] = ("opened_with", "telephone", "old_is_strangers")

    def __init__(self, country: str, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        widget = forms.TextInput(attrs={"type": "tel", "inputmode": "tel", "autocomplete": "off"})
        self.fields["telephone"] = TelephoneField(
            country=country, widget=widget, help_text=_("With the country code, for example +223 76 12 34 56.")
        )
        self.order_fields(self.field_order)

    def begin_again_from(self, number: str) -> None:
        """Show what was typed upon the number that the client has now, in place of the one that nobody changed."""
        typed = dict(self.data.items())
        if self.cleaned_data["telephone"] == self.cleaned_data["opened_with"]:
            typed["telephone"] = phones.for_people(number)
        self.data = {**typed, "opened_with": number}

    def name_owner(self, text: str, owner: str, link: str) -> None:
        """Say in `text` that the number is {owner}'s, who is shown under `link`."""
        self.add_error("telephone", format_html(text, owner=format_html('<a href="{}">{}</a>', link, owner)))


class OtherNumberForm(NumberForm):
    """Another telephone for a client; `message` is the code of the one that did not reach them at the old one."""

    message = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("telephone") and values["telephone"] == values.get("opened_with"):
            self.add_error("telephone", _("This is the number that did not work. Type the right one."))
        return values


class ClientEditForm(NumberForm):
    """Who a client is."""

    first_name = forms.CharField(label=gettext_lazy("First name"), max_length=150)
    last_name = forms.CharField(label=gettext_lazy("Last name"), max_length=150)
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False, max_length=254)
    language = forms.ChoiceField(label=gettext_lazy("Language of the messages"), choices=settings.LANGUAGES)
    country = forms.ChoiceField(label=gettext_lazy("Country"), choices=Client.Country.choices, required=False)
    shares_phone = forms.BooleanField(
        label=gettext_lazy("Shared telephone"),
        required=False,
        help_text=gettext_lazy("Others use this telephone too: say who the parcel is for."),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("For the agents; clients never see it."),
    )
    field_order = ("opened_with", "first_name", "last_name", "telephone", "old_is_strangers")


def as_initial(client: Client) -> dict[str, Any]:
    """What ClientEditForm begins with."""
    user = client.user
    return {
        "opened_with": user.telephone,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "telephone": phones.for_people(user.telephone),
        "email": user.email,
        "language": user.language,
        "country": client.country,
        "shares_phone": client.shares_phone,
        "note": client.note,
    }
