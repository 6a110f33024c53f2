"""How our templates stand at the providers, found out by what the engine itself asks before a message leaves."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.conf import settings
from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app import providers
from whatsapp_monitoring_app.models import (
    Form,
    WhatsAppProviderTemplate,
    WhatsAppSender,
    WhatsAppTemplate,
    WhatsAppTemplateName,
    languages,
)
from whatsapp_monitoring_app.services import approval

Find = Callable[[WhatsAppTemplate, str, WhatsAppSender, datetime], approval.Approved]
# Where each template of a provider is kept: provider, business account, name, language.
Place = tuple[str, str, str, str]


class State(TextChoices):
    """Whether a provider would take a template now, and what keeps it from that."""

    APPROVED = "approved", _("Approved")
    UNHEARD = "unheard", _("Not yet synchronised")
    UNTOLD = "untold", _("Not told by the provider")
    WAITING = "waiting", _("Waiting for approval")
    PAUSED = "paused", _("Paused by WhatsApp")
    STOPPED = "stopped", _("Stopped after a refusal")
    REJECTED = "rejected", _("Rejected")
    MISSING = "missing", _("Does not exist there")
    NAMELESS = "nameless", _("Has no name there yet")
    MISFIT = "misfit", _("Variables do not fit")
    UNUSABLE = "unusable", _("Not usable")


ADVICE: dict[State, Promise] = {
    State.UNHEARD: _("It is sent, and the provider’s answer shows whether it is good. Synchronise to know before."),
    State.UNTOLD: _("It is sent, and the provider’s answer shows whether it is good."),
    State.WAITING: _("Nothing to do: its messages wait, and leave when it is approved."),
    State.PAUSED: _("Too many people complained. Improve the text at the provider, or wait until the pause ends."),
    State.STOPPED: _("The provider refused it when it was used. Mend it there, then resume."),
    State.REJECTED: _("Correct it at the provider and hand it in again."),
    State.MISSING: _("Make it at the provider under this name and in this language, then synchronise."),
    State.NAMELESS: _("Enter the id that the provider gave it."),
    State.MISFIT: _(
        "Give the provider’s text the same variables in the same order, or enter at the template which ones it has."
    ),
    State.UNUSABLE: _("Look at it at the provider: the word in brackets is the provider’s own."),
}
# The providers' words for what is under way; every other word that is not here is shown as it is.
STATES = {
    "PENDING": State.WAITING,
    "IN_APPEAL": State.WAITING,
    "RECEIVED": State.WAITING,
    "PAUSED": State.PAUSED,
    "REJECTED": State.REJECTED,
}
# The colour of each, which is that of a message's status, and its icon.
LOOKS = {
    State.APPROVED: ("delivered", "sent"),
    State.UNHEARD: ("sent", "unconfirmed"),
    State.UNTOLD: ("sent", "unconfirmed"),
    State.WAITING: ("pending", "pending"),
    State.PAUSED: ("retry_scheduled", "pause"),
    State.STOPPED: ("retry_scheduled", "pause"),
}
SAMPLE_LINK = "https://example.com/sample"


@dataclass(frozen=True)
class Judgement:
    """A template in one language at one sender's provider. `detail` is in the words of the provider or the engine."""

    language: str
    state: State
    name: WhatsAppTemplateName | None = None
    known: WhatsAppProviderTemplate | None = None
    detail: str = ""

    @property
    def advice(self) -> Promise | str:
        return ADVICE.get(self.state, "")

    @property
    def look(self) -> tuple[str, str]:
        return LOOKS.get(self.state, ("failed", "failed"))

    @property
    def is_stopped(self) -> bool:
        return self.state is State.STOPPED

    @property
    def language_name(self) -> str:
        return LANGUAGE_NAMES[self.language]

    @property
    def gist(self) -> tuple[str, ...]:
        """What is to be said of it, whoever the sender is, and whatever the language."""
        # Each that is stopped has a button of its own.
        return (self.state, self.detail, self.language if self.is_stopped else "")


LANGUAGE_NAMES = {code: name for code, name in settings.LANGUAGES if code in languages.WHATSAPP_LANGUAGES}


def judge(
    template: WhatsAppTemplate, language: str, sender: WhatsAppSender, at: datetime, find: Find = approval.find
) -> Judgement:
    """Whether this sender could say the template now, with its sample values."""
    try:
        approved = find(template, language, sender, at)
    except approval.Unusable as refusal:
        return Judgement(language, _state_of(refusal), refusal.name, refusal.known, _words_of(refusal))
    try:
        approved.filled(template.sample_values(), _sample_media(approved), template.preview(language))
    except approval.Unsayable as misfit:
        return Judgement(language, State.MISFIT, approved.name, approved.facts, str(misfit))
    return Judgement(language, _state_of_good(approved, sender), approved.name, approved.facts)


def _state_of_good(approved: approval.Approved, sender: WhatsAppSender) -> State:
    if approved.facts:
        return State.APPROVED
    return State.UNHEARD if providers.get(sender.provider).has_templates else State.UNTOLD


def _state_of(refusal: approval.Unusable) -> State:
    if refusal.name is None:
        return State.NAMELESS
    if refusal.known is None or refusal.known.is_gone:
        return State.MISSING
    if refusal.known.is_usable:
        return State.STOPPED if refusal.known.stopped_until else State.UNHEARD
    return STATES.get(refusal.known.status, State.UNUSABLE)


def _words_of(refusal: approval.Unusable) -> str:
    if refusal.known is None or refusal.known.is_gone:
        return ""
    if refusal.known.is_usable:
        return refusal.known.stop_reason
    word = "" if refusal.known.status in STATES else f"[{refusal.known.status}]"
    return f"{word} {refusal.known.reason}".strip()


def _sample_media(approved: approval.Approved) -> approval.Media:
    """What a message brings whose template has a picture or a file of each message's own."""
    wanted = approval.MEDIA_HEADERS.get(approved.facts.header) if approved.facts else None
    if wanted is None or approved.name.header_variable:
        return approval.Media()
    return approval.Media(wanted, SAMPLE_LINK, "sample.pdf" if wanted is Form.DOCUMENT else "")


def senders() -> list[WhatsAppSender]:
    """The active senders that need templates: those whose provider has the 24-hour window."""
    active = WhatsAppSender.objects.defer("token").filter(is_active=True)
    return [sender for sender in active if providers.get(sender.provider).has_window]


@dataclass(frozen=True)
class Row:
    """Senders at which a template stands alike, language by language."""

    senders: list[WhatsAppSender]
    judgements: list[Judgement]

    @property
    def groups(self) -> list[list[Judgement]]:
        """The judgements, those of the same state and cause together."""
        groups: dict[tuple[str, ...], list[Judgement]] = {}
        for one in self.judgements:
            groups.setdefault(one.gist, []).append(one)
        return list(groups.values())


@dataclass(frozen=True)
class Standing:
    """One of our templates, and how it stands everywhere; one that is not in use stands nowhere."""

    template: WhatsAppTemplate
    rows: list[Row]

    @property
    def languages(self) -> list[str]:
        """The names of those that it is written in."""
        return [LANGUAGE_NAMES[language] for language in written_in(self.template)]


@dataclass(frozen=True)
class Account:
    """A company account at a provider, and what it has that we do not use."""

    senders: list[WhatsAppSender]
    unused: list[WhatsAppProviderTemplate]

    @property
    def first(self) -> WhatsAppSender:
        return self.senders[0]

    @property
    def is_listed(self) -> bool:
        """Whether the provider tells which templates it has."""
        return providers.get(self.first.provider).has_templates


@dataclass(frozen=True)
class Overview:
    standings: list[Standing]
    accounts: list[Account]


def overview(at: datetime) -> Overview:
    """Every template of ours at every sender that needs one, in a few queries however many there are."""
    everybody = senders()
    stored = _Stored(everybody)
    # Those in use first.
    templates = WhatsAppTemplate.objects.order_by("-is_active", "code")
    standings = [
        Standing(template, _rows(template, everybody, at, stored) if template.is_active else [])
        for template in templates
    ]
    used = {place for template in templates for place in stored.places_of(template, everybody)}
    by_account = groupby(sorted(everybody, key=_account_of), key=_account_of)
    accounts = [Account(list(theirs), stored.others_of(key, used)) for key, theirs in by_account]
    return Overview(standings, accounts)


def _account_of(sender: WhatsAppSender) -> tuple[str, str]:
    return sender.provider, sender.business_account


def _rows(
    template: WhatsAppTemplate, everybody: Iterable[WhatsAppSender], at: datetime, stored: "_Stored"
) -> list[Row]:
    rows: list[Row] = []
    for sender in everybody:
        judgements = [judge(template, language, sender, at, stored.find) for language in written_in(template)]
        alike = [row for row in rows if [one.gist for one in row.judgements] == [one.gist for one in judgements]]
        if alike:
            alike[0].senders.append(sender)
        else:
            rows.append(Row([sender], judgements))
    return rows


def written_in(template: WhatsAppTemplate) -> list[str]:
    """The languages in which it has a text."""
    return [language for language in languages.WHATSAPP_LANGUAGES if template.text(language)]


@dataclass(frozen=True)
class Text:
    """A text as it is made at a provider that numbers variables."""

    language: str
    numbered: str

    @property
    def language_name(self) -> str:
        return LANGUAGE_NAMES[self.language]


def texts_to_paste(template: WhatsAppTemplate) -> list[Text]:
    return [Text(language, template.numbered(language)) for language in written_in(template)]


@dataclass(frozen=True)
class Line:
    """A template at one sender in one language; `given` is the name that somebody entered for it."""

    sender: WhatsAppSender
    judgement: Judgement
    given: WhatsAppTemplateName | None

    @property
    def group(self) -> list[Judgement]:
        return [self.judgement]


def lines(template: WhatsAppTemplate, at: datetime) -> list[Line]:
    """The template at every sender that needs it, in every language in which it is written."""
    everybody = senders()
    stored = _Stored(everybody)
    return [
        Line(sender, judge(template, language, sender, at, stored.find), stored.name(template, language, sender))
        for sender in everybody
        for language in written_in(template)
    ]


class _Stored:
    """What is stored of these senders' templates, read at once; `find` is the engine's own, without its queries."""

    def __init__(self, everybody: Iterable[WhatsAppSender]) -> None:
        names = WhatsAppTemplateName.objects.filter(sender__in=everybody).select_related("template")
        self._names = {(name.template_id, name.sender_id, name.language): name for name in names}
        rows = WhatsAppProviderTemplate.objects.all()
        self._rows: dict[Place, WhatsAppProviderTemplate] = {
            (row.provider, row.business_account_id, row.name, row.language): row for row in rows
        }

    def name(self, template: WhatsAppTemplate, language: str, sender: WhatsAppSender) -> WhatsAppTemplateName | None:
        return self._names.get((template.pk, sender.pk, language))

    def find(
        self, template: WhatsAppTemplate, language: str, sender: WhatsAppSender, at: datetime
    ) -> approval.Approved:
        name = approval.name_of(template, language, sender, self.name(template, language, sender))
        return approval.judge(name, sender, self._rows.get(_place(name, sender)), at)

    def places_of(self, template: WhatsAppTemplate, everybody: Iterable[WhatsAppSender]) -> Iterator[Place]:
        """Where the engine would look for it."""
        for sender in everybody:
            for language in written_in(template):
                given = self.name(template, language, sender)
                if given or providers.get(sender.provider).has_templates:
                    yield _place(approval.name_of(template, language, sender, given), sender)

    def others_of(self, account: tuple[str, str], used: set[Place]) -> list[WhatsAppProviderTemplate]:
        return [
            row for place, row in self._rows.items() if place[:2] == account and place not in used and not row.is_gone
        ]


def _place(name: WhatsAppTemplateName, sender: WhatsAppSender) -> Place:
    return sender.provider, sender.business_account, name.name, name.whatsapp_language
