"""Files with exactly the messages that pass some filters, for who may see them, and for some days."""

import logging
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import Action, WhatsAppExport, WhatsAppNotification
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import audit, export_columns, spreadsheets
from whatsapp_monitoring_app.services.search import Filters

logger = logging.getLogger(__name__)

# So many messages are written while the person waits for the page.
AT_ONCE = 5_000
CHUNK = 500  # messages between two looks whether the run still holds its export
# How long a run may hold an export between two chunks: far longer than a chunk takes.
LEASE = timedelta(minutes=3)
# What no run could finish for so long is given up.
GIVEN_UP_AFTER = timedelta(hours=6)
COUNTED_AT_MOST = 100_000
PERMISSION = "whatsapp_monitoring_app.export_texts"
FOLDER = "exports"  # below MEDIA_ROOT

Clock = Callable[[], datetime]


class TooManyRows(ValueError):
    """A workbook cannot hold so many messages. Its message is a sentence for people."""

    def __init__(self) -> None:
        super().__init__(_("That is more than an Excel sheet can hold. Choose CSV, or a shorter period."))


class Taken(Exception):
    """The export was deleted meanwhile, or the run slept through its lease and another one holds it now."""


class NotTheirs(Exception):
    """Who asked for the export does not work in its office any more, or the office is gone."""


@dataclass(frozen=True)
class Wish:
    """What somebody wants in a file."""

    filters: Filters
    format: str
    with_texts: bool = False


def may_have_texts(person: User) -> bool:
    """Whether what clients read may leave the site in this person's files."""
    return person.has_perm(PERMISSION)


def found(filters: Filters, scope: Scope, at: datetime) -> NotificationQuerySet:
    """The messages that a file asked for at this moment tells of: nothing that was created since, newest first."""
    visible = WhatsAppNotification.objects.visible_to(scope).filter(created_at__lte=at)
    return filters.within(scope).apply(visible, at).order_by("-created_at", "-code")


def count(filters: Filters, scope: Scope, at: datetime) -> int:
    """How many those are; one more than COUNTED_AT_MOST stands for any larger number."""
    return found(filters, scope, at).order_by()[: COUNTED_AT_MOST + 1].count()


def create(wish: Wish, request_id: uuid.UUID, person: User, scope: Scope, at: datetime) -> WhatsAppExport:
    """Write down what this person wants. The same wish of the same form is one export.

    A form that comes back with another wish (by the browser's “back”) is another export. Raises TooManyRows.
    """
    with_texts = wish.with_texts and may_have_texts(person)
    query = wish.filters.write()
    wanted = uuid.uuid5(request_id, f"{person.pk} {scope.office} {wish.format} {with_texts} {query}")
    known = WhatsAppExport.objects.filter(request_id=wanted).first()
    if known:
        return known
    total = found(wish.filters, scope, at).order_by().count()
    if wish.format == WhatsAppExport.Format.XLSX and total >= spreadsheets.ROWS_OF_A_SHEET:
        raise TooManyRows
    values = {
        "source_app": scope.office,
        "query": query,
        "format": wish.format,
        "with_texts": with_texts,
        "requested_by": person,
        "created_at": at,
        "total": total,
        "expires_at": at + timedelta(days=days_kept()),
    }
    with transaction.atomic():
        export, is_new = WhatsAppExport.objects.get_or_create(request_id=wanted, defaults=values)
        if is_new:
            audit.note(Action.EXPORT, person, scope, at, target=export.pk, detail=_summary(export, wish.filters))
    return export


def _summary(export: WhatsAppExport, filters: Filters) -> str:
    """How many, and by the names of which filters: what was typed into them may be a number."""
    text = ngettext("%(count)d message", "%(count)d messages", export.total) % {"count": export.total}
    names = ", ".join(name for name, _text in filters.chosen())
    texts = [_("with the texts")] if export.with_texts else []
    return " · ".join([text, export.format, *texts, *([names] if names else [])])


def days_kept() -> int:
    """How long a file is kept."""
    return int(settings.WHATSAPP_EXPORT_DAYS)


def is_small(export: WhatsAppExport) -> bool:
    """Whether its file is written in less time than people wait for a page."""
    return export.total <= AT_ONCE


def run(code: uuid.UUID, *, now: Clock = timezone.now) -> bool:
    """Write the file of an export, if nobody else does; whether this run was the one.

    A run after a dead one writes the file anew. It speaks the language of who asked, and their clock.
    """
    export = _claim(code, now())
    if export is None:
        return False
    person = export.requested_by
    with translation.override(person.language), timezone.override(ZoneInfo(person.time_zone)):
        try:
            _write(export, now)
        except Taken:
            logger.warning("The export %s is nobody’s, or another run’s, now", export.pk)
        except NotTheirs:
            _give_up(export, now(), WhatsAppExport.Failure.NOT_THEIRS)
        except OSError:
            logger.exception("The file of the export %s cannot be written", export.pk)
            _give_up(export, now(), WhatsAppExport.Failure.NOT_WRITTEN)
    return True


def _claim(code: uuid.UUID, at: datetime) -> WhatsAppExport | None:
    claimed_until = at + LEASE
    if not WhatsAppExport.objects.unheld(at).filter(pk=code).update(claimed_until=claimed_until, done=0):
        return None
    return WhatsAppExport.objects.select_related("requested_by").get(pk=code, claimed_until=claimed_until)


def _save(export: WhatsAppExport, **changes: object) -> None:
    """Write these changes, which proves that the lease is still this run's. Raises Taken."""
    if not WhatsAppExport.objects.filter(pk=export.pk, claimed_until=export.claimed_until).update(**changes):
        raise Taken


def _go_on(export: WhatsAppExport, at: datetime, **changes: object) -> None:
    claimed_until = at + LEASE
    _save(export, claimed_until=claimed_until, **changes)
    export.claimed_until = claimed_until


def _give_up(export: WhatsAppExport, at: datetime, failure: WhatsAppExport.Failure) -> None:
    # Whoever has lost the lease meanwhile has nothing to say.
    held = WhatsAppExport.objects.filter(pk=export.pk, claimed_until=export.claimed_until)
    held.update(claimed_until=None, finished_at=at, error=failure)


def _scope_of(export: WhatsAppExport) -> Scope:
    """The office that it was asked for in, as it is today. Raises NotTheirs."""
    try:
        scope = scopes.get(export.source_app)
    except scopes.UnknownOffice as error:
        raise NotTheirs from error
    # has_perm() is False for somebody whose account is closed.
    if not export.requested_by.has_perm(scope.permission):
        raise NotTheirs
    return scope


def _write(export: WhatsAppExport, now: Clock) -> None:
    """Write the rows beside where the file will be, and put it there when it is whole. Raises Taken, NotTheirs."""
    scope = _scope_of(export)
    with_texts = export.with_texts and may_have_texts(export.requested_by)
    rows = found(Filters.read(export.query).within(scope), scope, export.created_at)
    _go_on(export, now(), total=rows.count())
    delete_file(export.pk)  # what a run that died has left
    name = f"{FOLDER}/{export.pk}.{export.format}"
    part = _path(f"{FOLDER}/{export.pk}-{uuid.uuid4()}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        columns = export_columns.columns(scope, with_texts=with_texts)
        with _sheet(export, part, columns) as sheet:
            for done in _fill(sheet, columns, rows):
                _go_on(export, now(), done=done)
        _go_on(export, now())
        part.replace(_path(name))
    finally:
        part.unlink(missing_ok=True)
    try:
        _save(export, claimed_until=None, finished_at=now(), file=name)
    except Taken:
        delete_file(export.pk)
        raise


def _sheet(
    export: WhatsAppExport, path: Path, columns: list[export_columns.Column]
) -> spreadsheets.CsvSheet | spreadsheets.XlsxSheet:
    headings = [column.heading for column in columns]
    if export.format == WhatsAppExport.Format.CSV:
        return spreadsheets.CsvSheet(path, headings)
    return spreadsheets.XlsxSheet(path, _("Messages"), headings, [column.width for column in columns])


def _fill(
    sheet: spreadsheets.Sheet, columns: list[export_columns.Column], rows: NotificationQuerySet
) -> Iterator[int]:
    """Add the rows; how many there are after each chunk."""
    done = 0
    iterator = _light(rows).iterator(chunk_size=CHUNK)
    while chunk := list(islice(iterator, CHUNK)):
        for owed in chunk:
            sheet.add([column.value(owed) for column in columns])
        done += len(chunk)
        yield done


def _light(rows: NotificationQuerySet) -> NotificationQuerySet:
    """The rows with what the columns read, and without what is large or secret: raw answers, tokens of senders."""
    names = ("user", "informed_by")
    return (
        rows.select_related("sender", *names)
        .defer("context_data", "template_params", "error_message", "media_link", "sender__token")
        .prefetch_related("subjects")
    )


def _path(name: str) -> Path:
    return Path(settings.MEDIA_ROOT) / name


def delete_file(code: uuid.UUID) -> None:
    """Delete the file of this export, and what dead runs have left of it."""
    for path in _path(FOLDER).glob(f"{code}*"):
        path.unlink(missing_ok=True)


def file_of(export: WhatsAppExport, at: datetime) -> Path | None:
    """Where its file is; None when it is not written, or not kept any more."""
    path = _path(export.file) if export.file and at < export.expires_at else None
    return path if path and path.is_file() else None


def delete(export: WhatsAppExport) -> None:
    """Forget an export, and keep a run that may be under way from finishing it. The audit log remembers."""
    code = export.pk
    export.delete()
    delete_file(code)


def lost(at: datetime, patience: timedelta) -> list[uuid.UUID]:
    """Exports that are not finished, and that nobody works on; those that nothing helps are given up."""
    hopeless = WhatsAppExport.objects.unheld(at).order_by().filter(created_at__lt=at - GIVEN_UP_AFTER)
    hopeless.update(claimed_until=None, finished_at=at, error=WhatsAppExport.Failure.NOT_WRITTEN)
    waiting = WhatsAppExport.objects.unheld(at).filter(created_at__lt=at - patience)
    return list(waiting.values_list("pk", flat=True)[:CHUNK])


def next_waiting(at: datetime) -> uuid.UUID | None:
    """The export that has waited longest for somebody to write it."""
    return WhatsAppExport.objects.unheld(at).values_list("pk", flat=True).first()


def forget_files(at: datetime) -> int:
    """Delete the files whose time is over, or whose export is gone; how many. Their rows say that they were there."""
    kept = {str(code) for code in _kept(at)}
    over = [path for path in _path(FOLDER).glob("*") if path.name[:36] not in kept]
    for path in [*over, *_left_by_dead_runs(at)]:
        path.unlink(missing_ok=True)
    WhatsAppExport.objects.filter(expires_at__lte=at).exclude(file="").update(file="")
    return len(over)


def _kept(at: datetime) -> Iterator[uuid.UUID]:
    return WhatsAppExport.objects.filter(expires_at__gt=at).values_list("pk", flat=True).iterator()


def _left_by_dead_runs(at: datetime) -> Iterator[Path]:
    """What openpyxl has put aside in a process that was killed: it holds what the file was to hold."""
    before = (at - timedelta(days=1)).timestamp()
    for path in Path(tempfile.gettempdir()).glob("openpyxl.*"):
        if path.stat().st_mtime < before:
            yield path
