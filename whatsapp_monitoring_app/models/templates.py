import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models import languages
from whatsapp_monitoring_app.models.senders import WhatsAppSender

# A variable's name, also at the providers that know variables by name (Meta: lower case, digits, underscores).
NAME = re.compile(r"[a-z][a-z0-9_]*")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# Characters of a text with its variables filled in (Meta, code 132005).
TEXT_LIMIT = 1024


class TemplateQuerySet(models.QuerySet["WhatsAppTemplate"]):
    def standing_in_for(self, message_type: str) -> Self:
        """Those that may replace a free text of this type: the type's own first, then the one for every type."""
        own_first = models.Case(models.When(message_type=message_type, then=0), default=1)
        return self.filter(is_active=True, message_type__in=[message_type, WhatsAppTemplate.EVERY_TYPE]).order_by(
            own_first
        )


class WhatsAppTemplate(models.Model):
    """A message of ours that is written once: one text per language, the same variables in each.

    A variable stands in braces: `Bonjour {nom}`.
    """

    EVERY_TYPE = "*"

    code = models.SlugField(_("code"), max_length=60, unique=True)
    label = models.CharField(_("label"), max_length=80)
    message_type = models.CharField(
        _("stands in for"),
        max_length=60,
        blank=True,
        help_text=_(
            "The type of message whose free text it replaces when the client has not written within 24 hours; "
            "* for every type that has none of its own."
        ),
    )
    variables = models.JSONField(_("variables"), default=list, blank=True)
    samples = models.JSONField(_("sample values"), default=dict, blank=True)
    text_fr = models.TextField(_("text (French)"), max_length=TEXT_LIMIT)
    text_en = models.TextField(_("text (English)"), max_length=TEXT_LIMIT, blank=True)
    text_zh_hans = models.TextField(_("text (Chinese)"), max_length=TEXT_LIMIT, blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    objects = TemplateQuerySet.as_manager()

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ("code",)
        constraints = [
            models.UniqueConstraint(
                name="one_template_per_type",
                fields=["message_type"],
                condition=~Q(message_type=""),
                violation_error_message=_("Another template stands in for this type already."),
            ),
        ]

    def __str__(self) -> str:
        return self.label

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises ValidationError when the texts and the declared variables disagree."""
        self.clean()
        super().save(*args, **kwargs)

    def clean(self) -> None:
        errors = dict(self._problems())
        if errors:
            raise ValidationError(errors)

    def _problems(self) -> Iterator[tuple[str, Any]]:
        names = self.variables
        if not isinstance(names, list) or any(not isinstance(name, str) or not NAME.fullmatch(name) for name in names):
            yield "variables", _("A variable’s name has small letters, digits and _ only, and begins with a letter.")
            return
        if len(set(names)) != len(names):
            yield "variables", _("A variable is declared twice.")
        if not isinstance(self.samples, dict):
            yield "samples", _("The sample values are given by variable.")
        if not self.text_fr.strip():
            yield "text_fr", _("The French text is needed: it is what everybody gets whose language has none.")
        for language in languages.WHATSAPP_LANGUAGES:
            problem = self._problem_of(self.text(language))
            if problem:
                yield f"text_{language.replace('-', '_')}", problem

    def _problem_of(self, text: str) -> str:
        if not text:
            return ""
        used, declared = set(PLACEHOLDER.findall(text)), set(self.variables)
        if used == declared:
            return ""
        missing = ", ".join(f"{{{name}}}" for name in sorted(declared - used))
        unknown = ", ".join(f"{{{name}}}" for name in sorted(used - declared))
        problems = [
            str(_("Not in this text: %(names)s.") % {"names": missing}) if missing else "",
            str(_("Not declared: %(names)s.") % {"names": unknown}) if unknown else "",
        ]
        return " ".join(problem for problem in problems if problem)

    def text(self, language: str) -> str:
        """The text in one of our languages, or ""."""
        return str(getattr(self, f"text_{language.replace('-', '_')}"))

    def languages(self, preferred: str) -> list[str]:
        """The languages that it is written in, in the order in which a reader of `preferred` likes them."""
        return [language for language in languages.preferred(preferred) if self.text(language)]

    def render(self, language: str, params: Mapping[str, str]) -> str:
        """The text with its variables filled in, once: what a value contains is no variable. Raises KeyError."""
        return PLACEHOLDER.sub(lambda found: params[found[1]], self.text(language))

    def numbered(self, language: str) -> str:
        """The text as it is made at a provider that numbers variables: {{1}} is the first one that is declared."""
        return PLACEHOLDER.sub(lambda found: f"{{{{{self.variables.index(found[1]) + 1}}}}}", self.text(language))

    def preview(self, language: str) -> str:
        """The text with its sample values; a variable without one stands as it is, and so does an unknown one."""
        samples = self.sample_values()
        return PLACEHOLDER.sub(lambda found: samples.get(found[1], found[0]), self.text(language))

    def sample_values(self) -> dict[str, str]:
        """A value for every variable; its own name in braces where nobody has given one."""
        return {name: str(self.samples.get(name) or f"{{{name}}}") for name in self.variables}


class WhatsAppTemplateName(models.Model):
    """What a template is called at the provider of one sender, in one language, where that is not its code.

    Without such a row the provider's template has our code as its name, and our variables in their order.
    """

    template = models.ForeignKey(
        WhatsAppTemplate, on_delete=models.CASCADE, related_name="names", verbose_name=_("message template")
    )
    sender = models.ForeignKey(
        WhatsAppSender, on_delete=models.CASCADE, related_name="template_names", verbose_name=_("sender")
    )
    language = models.CharField(
        _("language"), max_length=10, choices=[(code, code) for code in languages.WHATSAPP_LANGUAGES]
    )
    name = models.CharField(
        _("name at the provider"), max_length=512, help_text=_("For Twilio: the ContentSid, which begins with HX.")
    )
    provider_language = models.CharField(
        _("language at the provider"), max_length=20, blank=True, help_text=_("Empty: fr, en, zh_CN.")
    )
    body_variables = models.JSONField(
        _("variables of the body, in order"), default=list, blank=True, help_text=_("Empty: all of the template’s.")
    )
    header_variable = models.CharField(
        _("variable of the header"), max_length=60, blank=True, help_text=_("Its text, or the link of its media.")
    )
    button_variables = models.JSONField(
        _("variables of the buttons, in order"),
        default=list,
        blank=True,
        help_text=_("One for each button whose address has a variable end."),
    )

    class Meta:
        verbose_name = _("template’s name at a provider")
        verbose_name_plural = _("templates’ names at the providers")
        ordering = ("template", "sender", "language")
        constraints = [
            models.UniqueConstraint(name="one_name_per_sender_and_language", fields=["template", "sender", "language"])
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.whatsapp_language})"

    def clean(self) -> None:
        declared = set(self.template.variables)
        for field in ("body_variables", "button_variables"):
            names = getattr(self, field)
            if not isinstance(names, list) or not {str(name) for name in names} <= declared:
                raise ValidationError({field: _("These are not variables of the template.")})
        if self.header_variable and self.header_variable not in declared:
            raise ValidationError({"header_variable": _("This is not a variable of the template.")})

    @property
    def variables_of_the_body(self) -> list[str]:
        """In their order: those that are named here, else all that stand neither in the header nor in a button."""
        elsewhere = {self.header_variable, *self.button_variables}
        return self.body_variables or [name for name in self.template.variables if name not in elsewhere]

    @property
    def used_variables(self) -> set[str]:
        """All that it names, in whatever part."""
        return {*self.body_variables, *self.button_variables, *filter(None, [self.header_variable])}

    @property
    def whatsapp_language(self) -> str:
        return self.provider_language or languages.WHATSAPP_LANGUAGES[self.language]


class ProviderTemplateQuerySet(models.QuerySet["WhatsAppProviderTemplate"]):
    def of(self, sender: WhatsAppSender) -> Self:
        """Those of the company account that this sender speaks through."""
        return self.filter(provider=sender.provider, business_account_id=sender.template_account)


class WhatsAppProviderTemplate(models.Model):
    """A template as its provider knows it: what the last synchronisation, webhook or refusal said.

    Words (status, category, quality) are the provider's own.
    """

    APPROVED = "APPROVED"
    # It was not in the last list that the provider gave.
    GONE = "GONE"
    # Of which nobody has told the status yet.
    UNHEARD = ""

    provider = models.CharField(_("provider"), max_length=20)
    business_account_id = models.CharField(_("business account"), max_length=80)
    name = models.CharField(_("name"), max_length=512)
    language = models.CharField(_("language"), max_length=20)
    status = models.CharField(_("status"), max_length=40, blank=True)
    category = models.CharField(_("category"), max_length=40, blank=True)
    quality = models.CharField(_("quality"), max_length=40, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    body_variables = models.JSONField(_("variables of the body"), default=list)
    has_named_variables = models.BooleanField(_("variables have names"), default=False)
    header = models.CharField(_("header"), max_length=20, blank=True)
    header_variables = models.JSONField(_("variables of the header"), default=list)
    url_buttons = models.JSONField(_("buttons with a variable address"), default=list)
    synced_at = models.DateTimeField(
        _("synchronised"), null=True, help_text=_("When its parts were told; empty while they are not known.")
    )
    told_at = models.DateTimeField(_("told"), null=True, help_text=_("By a webhook, or in a refusal."))
    stopped_until = models.DateTimeField(_("stopped until"), null=True)
    stop_reason = models.TextField(_("why stopped"), blank=True)

    objects = ProviderTemplateQuerySet.as_manager()

    class Meta:
        verbose_name = _("provider’s template")
        verbose_name_plural = _("providers’ templates")
        ordering = ("name", "language")
        constraints = [
            models.UniqueConstraint(
                name="one_row_per_provider_template",
                fields=["provider", "business_account_id", "name", "language"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"

    @property
    def is_gone(self) -> bool:
        return self.status == self.GONE

    @property
    def is_usable(self) -> bool:
        """Whether the provider takes messages of it, as far as it has told."""
        return self.status in (self.APPROVED, self.UNHEARD)
