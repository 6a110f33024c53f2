"""Who did what, for whoever has to know later."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Action, AlertKind, ErrorClass, WhatsAppAuditEntry
from whatsapp_monitoring_app.models.audit import AuditQuerySet
from whatsapp_monitoring_app.scopes import Scope

# Details that several places give, and what they are called where the log is read.
ADDRESSEE = "addressee"
ANNOUNCEMENT = "announcement"
WRONG_PERSON = "wrong_person"
RIGHT_PERSON = "right_person"
NEW = "new"
DELETED = "deleted"
RESUMED = "resumed"
REOPENED = "reopened"
IN_WORDS: dict[str, Promise] = {
    ADDRESSEE: gettext_lazy("Somebody of this announcement"),
    ANNOUNCEMENT: gettext_lazy("What failed of this announcement"),
    WRONG_PERSON: gettext_lazy("Somebody else answers there"),
    RIGHT_PERSON: gettext_lazy("It is the right number after all"),
    NEW: gettext_lazy("New"),
    DELETED: gettext_lazy("Name deleted"),
    RESUMED: gettext_lazy("Used again"),
    REOPENED: gettext_lazy("Taken back"),
    **{kind.value: kind.label for kind in AlertKind},
}
# Where to look at what is no message.
PAGES = {
    Action.BATCH_CREATE: "whatsapp_retry_batch",
    Action.BATCH_RUN: "whatsapp_retry_batch",
    Action.BATCH_PAUSE: "whatsapp_retry_batch",
    Action.BATCH_CANCEL: "whatsapp_retry_batch",
    Action.EXPORT: "",
    Action.ALERT_TAKE: "",
}
# How a client is named as a target: by the key of their page, which says nothing to others.
CLIENT = "client:"


def note(
    action: Action, person: User, scope: Scope, at: datetime, *, target: Any = "", detail: str = ""
) -> WhatsAppAuditEntry:
    """Write down, in the caller's transaction, that this person did this in this office.

    `target` is the code or the name of what it was done to. No text of a message, number or token belongs here.
    """
    return WhatsAppAuditEntry.objects.create(
        at=at, source_app=scope.office, actor=person, action=action, target=str(target)[:120], detail=detail[:300]
    )


def note_fields(
    action: Action, person: User, scope: Scope, at: datetime, *, target: Any, fields: Iterable[str]
) -> WhatsAppAuditEntry | None:
    """The same of a change of these fields, whose names are written down and never their values; None for none."""
    names = ", ".join(fields)
    return note(action, person, scope, at, target=target, detail=names) if names else None


@dataclass(frozen=True)
class Entry:
    """One line of the log as people read it; `code` is the message, batch or announcement that `page` shows."""

    row: WhatsAppAuditEntry
    page: str
    code: uuid.UUID | None

    @property
    def target(self) -> str:
        """On what it was done, where no page shows that."""
        if self.row.action == Action.CAUSE_HANDLED:
            return _cause_in_words(self.row.target)
        of_client = self.row.target.removeprefix(CLIENT)
        return self.row.target if of_client == self.row.target else _("Client no. %(number)s") % {"number": of_client}

    @property
    def detail(self) -> str | Promise:
        return IN_WORDS.get(self.row.detail, self.row.detail)


def _cause_in_words(target: str) -> str:
    """An office, a class of errors and a code, each as people call it."""
    offices = {name: scope.label for name, scope in scopes.all_scopes().items()}
    labels: dict[str, Any] = {**offices, **dict(ErrorClass.choices)}
    return " · ".join(str(labels.get(word, word)) for word in target.split())


@dataclass(frozen=True)
class Page:
    """Some entries, and what to ask for to see those before them; "" when there are none."""

    entries: Sequence[Entry]
    before: str


def people() -> QuerySet[User]:
    """Those who have done something that was written down."""
    done = WhatsAppAuditEntry.objects.filter(actor=OuterRef("pk"))
    return User.objects.filter(Exists(done)).order_by("first_name", "last_name", "pk")


def page(found: AuditQuerySet, before: str, size: int) -> Page:
    """The newest of them, or the newest below the entry with the key `before`; no count, however long the log is."""
    newest = (
        found.filter(pk__lt=int(before)) if before.isascii() and before.isdecimal() and len(before) < 19 else found
    )
    rows = list(newest.order_by("-pk").select_related("actor")[: size + 1])
    return Page([_entry(row) for row in rows[:size]], str(rows[size - 1].pk) if len(rows) > size else "")


def _entry(row: WhatsAppAuditEntry) -> Entry:
    try:
        code = uuid.UUID(row.target)
    except ValueError:
        return Entry(row, "", None)
    return Entry(row, _page_of(row), code)


def _page_of(row: WhatsAppAuditEntry) -> str:
    """The name of the page that shows what it was done to."""
    if row.detail in (ADDRESSEE, ANNOUNCEMENT):
        return "whatsapp_announcement"
    return PAGES.get(Action(row.action), "whatsapp_attempt_details")
