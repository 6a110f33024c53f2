from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from client_app.preferences import NEWS, Preferences
from client_app.tracking import LONGEST


class PreferencesForm(forms.Form):
    language = forms.ChoiceField(label=_("Language of the messages and of these pages"), choices=settings.LANGUAGES)
    email = forms.EmailField(
        label=_("E-mail"),
        required=False,
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )
    wanted = forms.MultipleChoiceField(
        label=_("News that you want on WhatsApp"),
        required=False,
        choices=NEWS.items,
        widget=forms.CheckboxSelectMultiple,
    )

    def chosen(self) -> Preferences:
        """What the valid form says."""
        return Preferences(**self.cleaned_data)


class TrackingForm(forms.Form):
    number = forms.CharField(
        label=_("Tracking number"),
        max_length=LONGEST,
        widget=forms.TextInput(
            attrs={"placeholder": "TS1A2B3C4D", "autocapitalize": "characters", "autocomplete": "off"}
        ),
    )
