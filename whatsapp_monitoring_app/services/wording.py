"""In which form a message is put to its provider: as free text, or as a template that the provider has approved.

Free text leaves only while the 24-hour window is open, at the providers that have one. Outside of it a template takes
its place: the one of the message's type, else the one for every type. What the provider has told of its templates is
compared before any call.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import ErrorClass, Form, WhatsAppNotification, WhatsAppSender, WhatsAppTemplate
from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.providers.base import ProviderError
from whatsapp_monitoring_app.services import approval, rendering
from whatsapp_monitoring_app.services.approval import Unsayable
from whatsapp_monitoring_app.services.circumstances import Circumstances

# The variables that a first-password link can be in.
CARRY_A_LINK = {"lien", "texte"}


@dataclass(frozen=True)
class Wording:
    """What is said, and how it is recorded. `text` is what the client reads, with its secrets left out."""

    what: content.Content = field(repr=False)
    form: Form
    text: str = field(repr=False)


def of(notification: WhatsAppNotification, sender: WhatsAppSender, circumstances: Circumstances) -> Wording:
    """How this sender says it. Raises Unsayable."""
    if not providers.get(sender.provider).has_window:
        return _own_words(notification)
    if notification.template is None:
        return _own_words_or_stand_in(notification, sender, circumstances)
    try:
        own = _Candidate(notification.template, notification.template_params)
        return _first_sayable(notification, sender, [own], circumstances)
    except Unsayable:
        if _is_window_open(notification, sender, circumstances):
            return _own_words(notification)
        raise


def _own_words_or_stand_in(
    notification: WhatsAppNotification, sender: WhatsAppSender, circumstances: Circumstances
) -> Wording:
    if _is_window_open(notification, sender, circumstances):
        return _own_words(notification)
    stand_ins = list(_stand_ins(notification, circumstances))
    return _first_sayable(notification, sender, stand_ins, circumstances)


def _is_window_open(notification: WhatsAppNotification, sender: WhatsAppSender, circumstances: Circumstances) -> bool:
    refused_at = circumstances.window_refused_at(notification)
    return circumstances.windows.is_open(rendering.number_to_call(notification), sender, since=refused_at)


@dataclass(frozen=True)
class _Candidate:
    """A template that may say it, and the values that there are for its variables."""

    template: WhatsAppTemplate
    params: Mapping[str, str] = field(repr=False)


def _own_words(notification: WhatsAppNotification) -> Wording:
    text, stored = rendering.text_to_send(notification), notification.message_content
    match notification.media:
        case Form.IMAGE:
            return Wording(content.Image(notification.media_link, text), Form.IMAGE, stored)
        case Form.DOCUMENT:
            document = content.Document(notification.media_link, notification.media_name, text)
            return Wording(document, Form.DOCUMENT, stored)
        case _:
            return Wording(content.Text(text), Form.TEXT, stored)


def _stand_ins(notification: WhatsAppNotification, circumstances: Circumstances) -> Iterator[_Candidate]:
    known = _known(notification)
    for template in circumstances.stand_ins(notification.message_type):
        if rendering.FIRST_PASSWORD_LINK in notification.message_content and not CARRY_A_LINK & {*template.variables}:
            continue  # the link is the message
        params = {name: known[name] for name in template.variables if name in known}
        yield _Candidate(template, params)


def _known(notification: WhatsAppNotification) -> dict[str, str]:
    """The values that a message has by itself: its context, its text, its person, its parcel."""
    kind, _, number = notification.subject.partition(":")
    context = notification.context_data if isinstance(notification.context_data, dict) else {}
    known = {name: str(value) for name, value in context.items() if isinstance(value, str | int | float)}
    known["texte"] = notification.message_content
    if notification.user:
        known["nom"] = notification.user.get_full_name()
    if kind == "colis":
        known["numero_suivi"] = number
    if notification.is_secret and rendering.FIRST_PASSWORD_LINK in notification.message_content:
        known["lien"] = rendering.FIRST_PASSWORD_LINK
    return known


def _first_sayable(
    notification: WhatsAppNotification,
    sender: WhatsAppSender,
    candidates: list[_Candidate],
    circumstances: Circumstances,
) -> Wording:
    refusals = []
    for candidate in candidates:
        try:
            return _as_template(notification, sender, candidate, circumstances)
        except Unsayable as refusal:
            refusals.append(refusal)
    # What waits for the provider's approval is waited for.
    raise next((refusal for refusal in refusals if refusal.until), None) or _final(
        notification, refusals, circumstances.at
    )


def _final(notification: WhatsAppNotification, refusals: list[Unsayable], at: datetime) -> Unsayable:
    if notification.template is None:
        # The client has not written for 24 hours, and nothing can take the place of the free text.
        reasons = " ".join(str(refusal) for refusal in refusals) or "There is no template for this type of message."
        return Unsayable(ProviderError(ErrorClass.WINDOW_CLOSED, message=reasons))
    refusal = refusals[0]
    if refusal.error.error_class is ErrorClass.TEMPLATE_STOP:
        # Somebody has to make it at the provider: it waits, for as long as it is useful.
        return Unsayable(refusal.error, at + approval.LOOK_AGAIN_AFTER)
    return refusal


def _as_template(
    notification: WhatsAppNotification, sender: WhatsAppSender, candidate: _Candidate, circumstances: Circumstances
) -> Wording:
    """The template in the language that the client reads best of those that the provider takes. Raises Unsayable."""
    template = candidate.template
    missing = [name for name in template.variables if not candidate.params.get(name, "").strip()]
    if missing:
        raise approval.misfit("params", f"“{template.code}” needs a value for {', '.join(missing)}")
    # Providers refuse line breaks, tabs and rows of spaces in a value.
    stored = {name: " ".join(value.split()) for name, value in candidate.params.items()}
    filled = {name: rendering.fill_secrets(notification, value) for name, value in stored.items()}
    media = approval.Media(notification.media, notification.media_link, notification.media_name)
    refusals = []
    for language in template.languages(notification.language):
        try:
            approved = circumstances.approved(template, language, sender)
            what = approved.filled(filled, media, template.render(language, filled))
        except Unsayable as refusal:
            refusals.append(refusal)
        else:
            return Wording(what, Form.TEMPLATE, template.render(language, stored))
    raise next((refusal for refusal in refusals if refusal.until), refusals[0])
