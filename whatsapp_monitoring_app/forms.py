"""What administrators type about a sender."""

import re
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts import phones
from accounts.forms import TelephoneField
from whatsapp_monitoring_app.models import WhatsAppSender
from whatsapp_monitoring_app.services import routing

Provider = WhatsAppSender.Provider

# By provider: what its account ids look like, and what to say of another one.
ACCOUNT_IDS = {
    Provider.CLOUD_API: (r"[0-9]*", _("The phone number id of the Cloud API has digits only: it is not the number.")),
    Provider.WACHAP: (r".+", _("WaChap needs the id of its account.")),
    Provider.TWILIO: (r"AC\w+", _("Twilio needs its Account SID, which begins with AC.")),
}
CODE_IS_TAKEN = _("A sender with this code exists already.")
MESSAGING_SERVICE = re.compile(r"MG\w+")


class TokenField(forms.CharField):
    """A token that is written and never shown: its page is sent back without it."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}))
        super().__init__(max_length=2000, **kwargs)
        # Anything else is a slip of copying, which no HTTP header can carry.
        message = _("A token is one word without spaces and accents. Copy it again.")
        self.validators.append(RegexValidator(r"\A[!-~]*\Z", message))


class SenderForm(forms.ModelForm[WhatsAppSender]):
    """A sender's settings. What its provider cannot do without must be there, apart from the token."""

    class Meta:
        model = WhatsAppSender
        fields: tuple[str, ...] = (
            "label",
            "provider",
            "account_id",
            "address",
            "business_account_id",
            "rate_per_second",
            "daily_limit",
            "fallback",
        )
        help_texts = {
            "account_id": _(
                "Cloud API: the phone number id; empty: the one of the server’s settings. "
                "WaChap: the id of the account. Twilio: the Account SID (AC…)."
            )
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["fallback"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset, field.empty_label = WhatsAppSender.objects.defer("token"), str(_("Nobody: its messages wait"))

    def clean_rate_per_second(self) -> float:
        rate: float = self.cleaned_data["rate_per_second"]
        if rate <= 0:
            raise forms.ValidationError(_("Write more than 0. To stop the sender, pause it."))
        return rate

    def clean_daily_limit(self) -> int | None:
        limit: int | None = self.cleaned_data["daily_limit"]
        if limit == 0:
            raise forms.ValidationError(_("Write more than 0. To stop the sender, pause it."))
        return limit

    def clean_fallback(self) -> WhatsAppSender | None:
        fallback: WhatsAppSender | None = self.cleaned_data["fallback"]
        if fallback and fallback == self.instance:
            raise forms.ValidationError(_("A sender cannot replace itself."))
        if fallback and routing.would_make_a_circle(self.instance, fallback):
            raise forms.ValidationError(
                _("%(sender)s is itself replaced by this sender, directly or through others."),
                params={"sender": fallback},
            )
        return fallback

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        provider = values.get("provider")
        self._check_account_ids(provider)
        if not self.has_error("address"):
            self._check_address(provider)
        return values

    def _check_account_ids(self, provider: str | None) -> None:
        pattern, message = ACCOUNT_IDS.get(Provider(provider), (r".*", "")) if provider else (r".*", "")
        if not re.fullmatch(pattern, self.cleaned_data.get("account_id", "")):
            self.add_error("account_id", message)
        business_account_id = self.cleaned_data.get("business_account_id", "")
        if provider == Provider.CLOUD_API and not re.fullmatch(r"[0-9]*", business_account_id):
            self.add_error("business_account_id", _("The id of a WhatsApp Business account has digits only."))

    def _check_address(self, provider: str | None) -> None:
        address = self.cleaned_data.get("address", "")
        is_twilio = provider == Provider.TWILIO
        if is_twilio and MESSAGING_SERVICE.fullmatch(address):
            return
        try:
            self.cleaned_data["address"] = phones.to_e164(address) if address else ""
        except phones.InvalidTelephone as error:
            self.add_error("address", str(error))
        if is_twilio and not address:
            self.add_error("address", _("Twilio needs our number (+223…), or the id of a messaging service (MG…)."))


class NewSenderForm(SenderForm):
    token = TokenField(
        label=_("Token"), required=False, help_text=_("Written, never shown. It can also be entered later.")
    )

    class Meta(SenderForm.Meta):
        fields = ("code", *SenderForm.Meta.fields, "is_active")
        help_texts = SenderForm.Meta.help_texts | {
            "code": _("Programs know the sender by this word. It cannot be changed later.")
        }
        error_messages = {"code": {"unique": CODE_IS_TAKEN}}

    field_order = ("label", "code", "provider", "account_id", "token")

    def save(self, commit: bool = True) -> Any:
        self.instance.token = self.cleaned_data["token"]
        return super().save(commit)

    def insert(self) -> bool:
        """Whether the sender was written; somebody may have taken its code since the form was found valid."""
        try:
            with transaction.atomic():
                self.save()
        except IntegrityError:
            self.add_error("code", CODE_IS_TAKEN)
            return False
        return True


class EditSenderForm(SenderForm):
    """The settings of a sender that is there already; its `changed_data` is what this person changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            # Compared with what the person saw: what somebody else has written since then is not set back.
            field.show_hidden_initial = True


class TokenForm(forms.Form):
    token = TokenField(label=_("New token"))


class SendTestForm(forms.Form):
    """`request_id` is made with the form: posting it twice sends one message."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)


class NumberForm(forms.Form):
    """A number of which one wants to know whether it is on WhatsApp."""

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        widget = forms.TextInput(attrs={"type": "tel", "inputmode": "tel", "autocomplete": "off"})
        self.fields["telephone"] = TelephoneField(country=country, widget=widget)
