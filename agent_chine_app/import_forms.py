from django import forms
from django.utils.translation import gettext_lazy as _


class ClientFileForm(forms.Form):
    """A list of clients. `request_id` is made with the form: the same file posted twice is one import."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "CSV or Excel (.xlsx), at most 2 MB and 5,000 clients. Nothing is brought in before you have seen "
            "what is in it."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
        error_messages={"empty": _("The file is empty.")},
    )


class StartForm(forms.Form):
    """Whether to tell them is asked for each import, and is a “no” at first: a message to a thousand people who do not
    expect it gets the company's number reported, and cannot be taken back; telling them later always can be done.
    """

    tells = forms.BooleanField(
        label=_("Tell them on WhatsApp"),
        required=False,
        help_text=_(
            "Each gets the link to choose a password. For many old clients at once better not: people who expect "
            "no message report it, and WhatsApp then limits the company’s number. A client’s page can send the "
            "link at any time."
        ),
    )
