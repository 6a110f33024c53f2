"""What a new message says: a text of its caller's, or a template of ours with its variables filled in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from whatsapp_monitoring_app.models import Form, WhatsAppTemplate
from whatsapp_monitoring_app.models.templates import TEXT_LIMIT as TEMPLATE_LIMIT
from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.services.drafts import UNSTORABLE, Draft, InvalidNotification, check_text

TEXT_LIMIT = 4096  # characters: WhatsApp's own limit for a text message


@dataclass(frozen=True)
class Saying:
    """The text as it is stored, and where it comes from."""

    text: str = field(repr=False)
    title: str = ""
    template: WhatsAppTemplate | None = None
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    media: str = ""
    media_link: str = ""


def templates_of(drafts: Iterable[Draft]) -> Mapping[str, WhatsAppTemplate]:
    """The templates that these drafts name, by their codes, in one query; those that there are."""
    codes = {draft.template for draft in drafts if draft.template and not UNSTORABLE.search(draft.template)}
    found = WhatsAppTemplate.objects.filter(code__in=codes, is_active=True) if codes else []
    return {template.code: template for template in found}


def of(draft: Draft, language: str, templates: Mapping[str, WhatsAppTemplate] | None = None) -> Saying:
    """What this draft says in this language, or in the nearest that its template is written in.

    Whoever asks for many gives the `templates_of` them, which are then not looked up one by one.
    Raises InvalidNotification, which names the field that is wrong.
    """
    media, link = _media(draft)
    if not draft.template:
        return Saying(_text(draft, has_media=bool(media)), media=media, media_link=link)
    if draft.message_content:
        raise InvalidNotification("message_content", _("Give a text or a template, not both."))
    template = (templates_of([draft]) if templates is None else templates).get(draft.template)
    if template is None:
        raise InvalidNotification("template", _("There is no message template “%(code)s”.") % {"code": draft.template})
    params = _params(template, draft.params)
    text = template.render(template.languages(language)[0], params)
    check_text("params", text, TEMPLATE_LIMIT)
    return Saying(text, template.label, template, params, media, link)


def check(draft: Draft) -> None:
    """Raises what `of` raises."""
    of(draft, draft.language)


def _text(draft: Draft, *, has_media: bool) -> str:
    if draft.params:
        raise InvalidNotification("params", _("Only a template has values."))
    check_text("message_content", draft.message_content, content.CAPTION_LIMIT if has_media else TEXT_LIMIT)
    if not draft.message_content.strip():
        raise InvalidNotification("message_content", _("The message is empty."))
    return draft.message_content


def _media(draft: Draft) -> tuple[str, str]:
    """The kind of media, and its link; both "" when there is none."""
    if draft.image_url and draft.document_url:
        raise InvalidNotification("document_url", _("A message has an image or a document, not both."))
    form, field_name = (Form.IMAGE, "image_url") if draft.image_url else (Form.DOCUMENT, "document_url")
    link = draft.image_url or draft.document_url
    if not link:
        return "", ""
    check_text(field_name, link, content.LINK_LIMIT)
    if not content.is_https(link):
        raise InvalidNotification(field_name, _("“%(link)s” is not an https address.") % {"link": link})
    return form, link


def _params(template: WhatsAppTemplate, given: Mapping[str, object]) -> dict[str, str]:
    """The values as text. Every variable has one, and there is none without a variable."""
    params = {str(name): str(value) for name, value in given.items() if value is not None}
    missing = [name for name in template.variables if not params.get(name, "").strip()]
    unknown = sorted(params.keys() - set(template.variables))
    if missing:
        raise InvalidNotification(
            "params",
            _("The template “%(code)s” needs a value for: %(names)s.")
            % {"code": template.code, "names": ", ".join(missing)},
        )
    if unknown:
        raise InvalidNotification(
            "params",
            _("The template “%(code)s” has no variable named: %(names)s.")
            % {"code": template.code, "names": ", ".join(unknown)},
        )
    for value in params.values():
        check_text("params", value, TEMPLATE_LIMIT)
    return params
