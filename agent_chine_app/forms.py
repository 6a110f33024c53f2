from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.forms import TelephoneField
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.models import Client, Colis


class ClientForm(forms.Form):
    """A new client. `request_id` is made with the form: posting it twice asks for one client."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    first_name = forms.CharField(label=_("First name"), max_length=150)
    last_name = forms.CharField(label=_("Last name"), max_length=150)
    telephone = TelephoneField(
        country=AgentChineConfig.scope.country,
        widget=forms.TextInput(attrs={"type": "tel", "inputmode": "tel", "autocomplete": "off"}),
        help_text=_("With the country code, for example +223 76 12 34 56. Chinese numbers may do without."),
    )
    email = forms.EmailField(label=_("E-mail"), required=False)
    language = forms.ChoiceField(label=_("Language of the messages"), choices=settings.LANGUAGES)


class NewLinkForm(forms.Form):
    """A new first-password link. `request_id` is made with the form: posting it twice sends one."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)


class ColisForm(forms.ModelForm[Colis]):
    request_id = forms.UUIDField(widget=forms.HiddenInput)
    client = forms.ModelChoiceField(
        label=_("Client"), queryset=Client.objects.select_related("user"), empty_label=_("Choose a client")
    )

    class Meta:
        model = Colis
        fields = ("client", "description", "weight_kg")
        widgets = {"weight_kg": forms.NumberInput(attrs={"inputmode": "decimal", "step": "0.01", "min": "0.01"})}

    def offer(self, clients: Iterable[Client]) -> None:
        """Show these clients as the choices; every client remains a valid one."""
        field = self.fields["client"]
        assert isinstance(field, forms.ModelChoiceField)
        field.widget.choices = [("", _("Choose a client")), *((client.pk, client.choice_label) for client in clients)]

    field_order = ("request_id", "client", "description", "weight_kg")

    def save(self, commit: bool = True) -> Any:
        self.instance.request_id = self.cleaned_data["request_id"]
        return super().save(commit)
