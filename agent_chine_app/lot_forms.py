"""The forms of lots."""

from datetime import date

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agent_chine_app.models import Lot, Transport


class LotForm(forms.Form):
    """A new lot. `request_id` is made with the form: posting it twice makes one."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    number = forms.CharField(
        label=gettext_lazy("Number"),
        max_length=Lot._meta.get_field("number").max_length,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off"}),
    )
    transport = forms.ChoiceField(label=gettext_lazy("Transport"), choices=Transport)


class ShipForm(forms.Form):
    """The day on which the lot is expected at the other end, when somebody knows it."""

    expected_on = forms.DateField(
        label=gettext_lazy("Expected in Bamako"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )

    def clean_expected_on(self) -> date | None:
        day: date | None = self.cleaned_data["expected_on"]
        if day and day < timezone.localdate():
            raise forms.ValidationError(_("This day is over already."))
        return day
