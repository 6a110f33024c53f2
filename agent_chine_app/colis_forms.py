"""What agents type about a parcel, however they write numbers."""

import re
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.core.files.base import ContentFile
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from agent_chine_app import photos
from agent_chine_app.models import Client, Colis

SIZE = ("length_cm", "width_cm", "height_cm")
# Every sign that keyboards here write between kilograms and grams, the Chinese ones included.
DECIMAL_SIGNS = str.maketrans(",，．。", "....")
WHOLE_NUMBER = re.compile(r"\d+|\d{1,3}(?:[\s.,，]\d{3})+")


class WeightField(forms.DecimalField):
    """A weight, understood as 12,5 and as 12.5 in every language, and shown again as the current one writes it."""

    widget = forms.TextInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=Decimal("0.01"), max_digits=8, decimal_places=2, **kwargs)

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.translate(DECIMAL_SIGNS) if isinstance(value, str) else value)

    def prepare_value(self, value: Any) -> Any:
        return number_format(value.normalize()) if isinstance(value, Decimal) else value

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"inputmode": "decimal", "autocomplete": "off"}


class FeeField(forms.IntegerField):
    """Francs, which have no cents: 125000, 125 000, 125.000 and 125,000 are the same."""

    widget = forms.TextInput
    default_error_messages = {"invalid": _("Write whole francs, for example 125 000.")}

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values or isinstance(value, int):
            return super().to_python(value)
        if not WHOLE_NUMBER.fullmatch(value.strip()):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(re.sub(r"\D", "", value))

    def prepare_value(self, value: Any) -> Any:
        return number_format(value, force_grouping=True) if isinstance(value, int) else value

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"inputmode": "numeric", "autocomplete": "off"}


class PhotoField(forms.FileField):
    """A photo; its clean value is the file to keep."""

    def clean(self, data: Any, initial: Any = None) -> ContentFile[bytes] | None:
        upload = super().clean(data, initial)
        if not upload:
            return None
        try:
            return photos.to_keep(upload)
        except photos.PhotoRefusal as error:
            raise forms.ValidationError(str(error)) from error


class ColisFactsForm(forms.ModelForm[Colis]):
    """What is known of a parcel, whoever its client is."""

    weight_kg = WeightField(label=_("Weight (kg)"), required=False)
    pieces = forms.IntegerField(label=_("Pieces"), min_value=1, initial=1)
    length_cm = forms.IntegerField(label=_("Length"), required=False, min_value=1, max_value=2000)
    width_cm = forms.IntegerField(label=_("Width"), required=False, min_value=1, max_value=2000)
    height_cm = forms.IntegerField(label=_("Height"), required=False, min_value=1, max_value=2000)
    fee_fcfa = FeeField(label=_("To pay (FCFA)"), required=False, min_value=0)
    photo = PhotoField(
        label=_("Photo"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/*", "data-photo": "photo-preview"}),
    )

    class Meta:
        model = Colis
        fields: tuple[str, ...] = ("description", "weight_kg", "pieces", *SIZE, "transport", "fee_fcfa")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        sizes = [cleaned.get(name) for name in SIZE]
        if any(sizes) and not all(sizes) and not any(name in self.errors for name in SIZE):
            self.add_error("length_cm", _("Write all three measures, or none."))
        return cleaned

    def ask_for_photo_again(self) -> None:
        """Say that the photo that came with a form that is shown again must be chosen anew: browsers forget it."""
        if "photo" in self.files and "photo" not in self.errors:
            self.add_error("photo", _("Choose the photo again: it was not kept."))


class ColisForm(ColisFactsForm):
    """A new parcel. `request_id` is made with the form: posting it twice registers one."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    client = forms.ModelChoiceField(
        label=_("Client"), queryset=Client.objects.select_related("user"), empty_label=_("Choose a client")
    )

    class Meta(ColisFactsForm.Meta):
        fields = ("client", *ColisFactsForm.Meta.fields)

    def offer(self, clients: Iterable[Client]) -> None:
        """Show these clients as the choices; every client remains a valid one."""
        field = self.fields["client"]
        assert isinstance(field, forms.ModelChoiceField)
        field.widget.choices = [("", _("Choose a client")), *((client.pk, client.choice_label) for client in clients)]

    def draft(self) -> Colis:
        """The parcel that the valid form describes, not written down yet."""
        request_id: uuid.UUID = self.cleaned_data["request_id"]
        self.instance.request_id = request_id
        return self.instance


class ColisEditForm(ColisFactsForm):
    """Corrections of a parcel. In a lot, its transport is the lot's."""

    without_photo = forms.BooleanField(label=_("Remove the photo"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.lot:
            del self.fields["transport"]
        if not self.instance.photo:
            del self.fields["without_photo"]

    def facts(self) -> dict[str, Any]:
        """What the valid form says of the parcel that it did not say before."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.Meta.fields}
