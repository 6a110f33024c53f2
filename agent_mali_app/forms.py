"""What agents type at the Mali office. `request_id` is made with the form: posting it twice does it once."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agent_chine_app.models import Client, Colis, Lot
from agent_mali_app import awaited

# Days: a date further away is a slip of the finger, and hundreds of clients would read it.
FURTHEST = 365


class ColisChoice(forms.ModelMultipleChoiceField[Colis]):
    """Parcels that were ticked; the page draws the boxes."""

    def __init__(self) -> None:
        nothing = {"required": gettext_lazy("Tick the parcels first.")}
        super().__init__(queryset=Colis.objects.none(), error_messages=nothing)


class ReceiveForm(forms.Form):
    """The parcels of the lot that have arrived."""

    colis = ColisChoice()

    def __init__(self, lot: Lot, *args: Any) -> None:
        super().__init__(*args)
        self.fields["colis"].queryset = lot.colis.all()  # type: ignore[attr-defined]


class DelayForm(forms.Form):
    request_id = forms.UUIDField(widget=forms.HiddenInput)
    expected_on = forms.DateField(
        label=gettext_lazy("Now expected in Bamako on"),
        # The browser's own date field writes and reads this form of a date, in every language.
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )
    note = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("For the agents; clients never see it."),
    )

    def __init__(self, lot: Lot, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lot = lot
        self.fields["expected_on"].widget.attrs["min"] = self.earliest.isoformat()

    @property
    def earliest(self) -> date:
        """The first day that is neither over nor before the departure, and later than the one that is expected."""
        days = [awaited.today()]
        if self.lot.shipped_at:
            days.append(awaited.today(self.lot.shipped_at))
        if self.lot.expected_on:
            days.append(self.lot.expected_on + timedelta(days=1))
        return max(days)

    def clean_expected_on(self) -> date:
        day: date = self.cleaned_data["expected_on"]
        if self.lot.shipped_at and day < awaited.today(self.lot.shipped_at):
            raise forms.ValidationError(_("The lot left China after that day."))
        if day < awaited.today():
            raise forms.ValidationError(_("That day is over. Choose today or a later day."))
        if day > awaited.today() + timedelta(days=FURTHEST):
            raise forms.ValidationError(_("That day is more than a year away. Is the year right?"))
        # The same day is refused when it is noted: a form that is posted twice names it again.
        if self.lot.expected_on and day < self.lot.expected_on:
            expected = {"day": date_format(self.lot.expected_on)}
            raise forms.ValidationError(_("The lot is expected on %(day)s: an earlier day is no delay.") % expected)
        return day


class HandOverForm(forms.Form):
    """Which of the client's parcels were given to whom."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    colis = ColisChoice()
    to = forms.CharField(
        label=gettext_lazy("Handed over to"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("The client, or whoever fetches the parcels for them."),
    )

    def __init__(self, client: Client, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Those that are gone too: the same form posted twice says the same twice.
        self.fields["colis"].queryset = client.colis.all()  # type: ignore[attr-defined]


class ShelfForm(forms.Form):
    shelf = forms.CharField(label=gettext_lazy("Shelf"), max_length=30)


class LostForm(forms.Form):
    note = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Where it was last seen, who searches. For the agents; clients never see it."),
    )
