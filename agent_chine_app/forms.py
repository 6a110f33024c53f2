from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.forms import TelephoneField
from agent_chine_app.apps import AgentChineConfig


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
