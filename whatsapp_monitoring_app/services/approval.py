"""What a provider has approved of our templates, compared before the call with what we would send."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import (
    ErrorClass,
    Form,
    WhatsAppProviderTemplate,
    WhatsAppSender,
    WhatsAppTemplate,
    WhatsAppTemplateName,
)
from whatsapp_monitoring_app.models.templates import TEXT_LIMIT
from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.providers.base import ProviderError

MEDIA_HEADERS = {"IMAGE": Form.IMAGE, "DOCUMENT": Form.DOCUMENT}
# When to look again whether a template has been approved meanwhile; hearing of it lets the messages go at once.
LOOK_AGAIN_AFTER = timedelta(minutes=15)


class Unsayable(Exception):
    """No call is to be made before `until`; without it, not unless somebody changes something."""

    def __init__(self, error: ProviderError, until: datetime | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.until = until


def misfit(part: str, problem: str) -> Unsayable:
    """What we would send is not what the provider's template wants."""
    return Unsayable(ProviderError(ErrorClass.MESSAGE_PERMANENT, message=f"template.{part}: {problem}"))


@dataclass(frozen=True)
class Media:
    """The picture or the file of a message. `form` is "" when it has none."""

    form: str = ""
    link: str = field(default="", repr=False)
    name: str = ""

    def as_header(self) -> content.Image | content.Document:
        is_image = self.form == Form.IMAGE
        return content.Image(self.link) if is_image else content.Document(self.link, self.name)


class Unusable(Unsayable):
    """The provider's template may not be used now. `name` is None where it has none, `known` where that is unknown."""

    def __init__(
        self,
        message: str,
        name: WhatsAppTemplateName | None = None,
        known: WhatsAppProviderTemplate | None = None,
        until: datetime | None = None,
    ) -> None:
        super().__init__(ProviderError(ErrorClass.TEMPLATE_STOP, message=message.strip()), until)
        self.name = name
        self.known = known


def find(template: WhatsAppTemplate, language: str, sender: WhatsAppSender, at: datetime) -> "Approved":
    """The template as this sender's provider has it in this language. Raises Unusable when it may not be used."""
    given = WhatsAppTemplateName.objects.select_related("template").filter(
        template=template, sender=sender, language=language
    )
    name = name_of(template, language, sender, given.first())
    rows = WhatsAppProviderTemplate.objects.of(sender).filter(name=name.name, language=name.whatsapp_language)
    return judge(name, sender, rows.first(), at)


def name_of(
    template: WhatsAppTemplate, language: str, sender: WhatsAppSender, given: WhatsAppTemplateName | None
) -> WhatsAppTemplateName:
    """What it is called there: the name that was given, else our code. Raises Unusable where we do not choose it."""
    if given is None and not providers.get(sender.provider).has_templates:
        raise Unusable(f"{sender.code}: “{template.code}” has no name at the provider of “{sender.code}”.")
    return given or WhatsAppTemplateName(template=template, sender=sender, language=language, name=template.code)


def judge(
    name: WhatsAppTemplateName, sender: WhatsAppSender, known: WhatsAppProviderTemplate | None, at: datetime
) -> "Approved":
    """The template of this name, after what is known of it. Raises Unusable."""
    if known is None:
        if sender.templates_synced_at:
            raise Unusable(f"{sender.code}: “{name}” does not exist at the provider.", name)
        return Approved(name, None)
    if known.is_gone:
        raise Unusable(f"{sender.code}: “{name}” does not exist at the provider any more.", name, known)
    if not known.is_usable:
        words = f"{sender.code}: “{name}” is {known.status} at the provider. {known.reason}"
        raise Unusable(words, name, known, at + LOOK_AGAIN_AFTER)
    if known.stopped_until and known.stopped_until > at:
        words = f"{sender.code}: “{name}” is stopped. {known.stop_reason}"
        raise Unusable(words, name, known, known.stopped_until)
    if known.status == known.APPROVED and known.synced_at is None and sender.templates_synced_at:
        # Told by a webhook, which says nothing of its variables. The synchronisation that it calls for lets it go.
        words = f"{sender.code}: “{name}” was approved just now; its variables are not known yet."
        raise Unusable(words, name, known, at + LOOK_AGAIN_AFTER)
    return Approved(name, known if known.synced_at else None)


@dataclass(frozen=True)
class Approved:
    """A template as one provider has it, in one language. Without `facts`, nothing was told of its parts."""

    name: WhatsAppTemplateName
    facts: WhatsAppProviderTemplate | None

    def filled(self, params: Mapping[str, str], media: Media, text: str) -> content.Template:
        """The template with these values. Raises Unsayable when the provider wants others."""
        if len(text) > TEXT_LIMIT:
            raise misfit("text", f"has {len(text)} characters; {TEXT_LIMIT} is the most")
        # A variable may have been taken out of the template since its name was written down.
        unheard = sorted(self.name.used_variables - params.keys())
        if unheard:
            raise misfit("variables", f"“{self.name}” names [{', '.join(unheard)}], which the template has no more")
        filled = content.Template(
            name=self.name.name,
            language=self.name.whatsapp_language,
            body=self._body(params),
            header=self._header(params.get(self.name.header_variable, ""), media),
            header_name=self._header_name,
            buttons=self._buttons([params[name] for name in self.name.button_variables]),
            text=text,
        )
        try:
            content.check(filled, TEXT_LIMIT)
        except content.Unsendable as error:
            raise Unsayable(ProviderError(ErrorClass.MESSAGE_PERMANENT, message=str(error))) from error
        return filled

    def _body(self, params: Mapping[str, str]) -> tuple[str, ...] | dict[str, str]:
        values = {name: params[name] for name in self.name.variables_of_the_body}
        if self.facts is None:
            return tuple(values.values())
        wanted = self.facts.body_variables
        is_named = self.facts.has_named_variables
        if set(wanted) != set(values) if is_named else len(wanted) != len(values):
            raise misfit("body", f"“{self.name}” wants [{', '.join(wanted)}], and we have [{', '.join(values)}]")
        return values if is_named else tuple(values.values())

    def _header(self, value: str, media: Media) -> content.Text | content.Image | content.Document | None:
        wanted = self.facts.header if self.facts else "TEXT" if value else ""
        if wanted in MEDIA_HEADERS:
            given = media if media.form else Media(MEDIA_HEADERS[wanted], value)
            if given.form != MEDIA_HEADERS[wanted] or not given.link:
                raise misfit("header", f"“{self.name}” wants a header of the kind {wanted}")
            return given.as_header()
        wants_value = wanted == "TEXT" and (self.facts is None or bool(self.facts.header_variables))
        if media.form:
            raise misfit("header", f"“{self.name}” has no place for the {media.form}")
        if wants_value != bool(value) or wanted not in ("", "TEXT"):
            raise misfit("header", f"“{self.name}” has the header “{wanted}”, which does not fit our values")
        return content.Text(value) if value else None

    @property
    def _header_name(self) -> str:
        is_named = self.facts and self.facts.has_named_variables and self.facts.header_variables
        return str(self.facts.header_variables[0]) if self.facts and is_named else ""

    def _buttons(self, values: list[str]) -> tuple[content.UrlButton, ...]:
        places = self.facts.url_buttons if self.facts else range(len(values))
        if len(places) != len(values):
            raise misfit("buttons", f"“{self.name}” wants {len(places)} values, and we have {len(values)}")
        return tuple(content.UrlButton(place, value) for place, value in zip(places, values, strict=True))
