"""Files of messages: exactly those of the list, harmless to open, for who asked and nobody else."""

import csv
import io
import os
import signal
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import User
from tests import rows
from tests.stack import ROOT, Stack, child_environment
from tests.waiting import eventually
from whatsapp_monitoring_app import scopes, tasks
from whatsapp_monitoring_app.models import (
    Action,
    Status,
    WhatsAppAuditEntry,
    WhatsAppExport,
    WhatsAppNotification,
    WhatsAppSubject,
)
from whatsapp_monitoring_app.services import cleanup, exports, recovery, spreadsheets
from whatsapp_monitoring_app.services.search import Filters

pytestmark = pytest.mark.django_db

OFFICES = tuple(scopes.all_scopes())
AGENT_OFFICES = ("agent_chine", "agent_mali")
ADMIN_OFFICES = ("admin_chine", "admin_mali")
DAY = timedelta(days=1)
MARK = "\ufeff"
EVIL = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\tx", "\rx", " =1+1", "＝1+1", '=HYPERLINK("http://evil.example";"x")']


@pytest.fixture(autouse=True)
def _media(media: Path) -> Path:
    return media


def person_of(office: str, **fields: Any) -> User:
    return User.objects.create_user("+22370005555", role=office, **{"language": "en", **fields})


def browser_of(person: User) -> Browser:
    browser = Browser()
    browser.force_login(person)
    return browser


def allow_texts(person: User) -> None:
    person.user_permissions.add(Permission.objects.get(codename="export_texts"))


def ask(browser: Browser, office: str, query: str = "", **fields: Any) -> Any:
    """Press the button; the answer."""
    address = reverse(f"{office}:whatsapp_export_create")
    return browser.post(
        f"{address}?{query}", {"request_id": str(uuid.uuid4()), "format": "csv", **fields}, follow=False
    )


def content_of(browser: Browser, office: str, export: WhatsAppExport) -> bytes:
    answer = browser.get(reverse(f"{office}:whatsapp_export_file", args=[export.pk]))
    assert answer.status_code == 200
    return b"".join(answer)


def table_of(content: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV file, by their headings."""
    text = content.decode()
    assert text.startswith(MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(MARK), newline=""), delimiter=delimiter))


def cells_of(content: bytes) -> list[list[Any]]:
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet
    return [list(row) for row in sheet.iter_rows()]


def exported(person: User, office: str, query: str = "", **fields: Any) -> bytes:
    browser = browser_of(person)
    assert ask(browser, office, query, **fields).status_code == 302
    return content_of(browser, office, WhatsAppExport.objects.get())


def references(content: bytes) -> list[str]:
    return [row["Reference"] for row in table_of(content)]


QUERIES = [
    "",
    "status=failed",
    "status=waiting",
    "error_class=recipient_permanent",
    "q=Titre+1",
    "period=today",
    "attempts=1",
    "telephone=66000003",
    "status=unknown",
    "source_app=agent_mali",
    "page=2",
    "category=colis_status&status=read",
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("office", ["agent_chine", "admin_mali"])
def test_a_file_holds_exactly_what_the_filters_let_pass_newest_first(office: str, query: str):
    rows.company(14, "agent_chine")
    for number in range(3):
        rows.notification("agent_mali", title=f"Titre 1{number} of Mali")
    person = person_of(office)
    content = exported(person, office, query)

    visible = WhatsAppNotification.objects.visible_to(scopes.get(office))
    listed = (
        Filters.read(query).within(scopes.get(office)).apply(visible, timezone.now()).order_by("-created_at", "-code")
    )
    assert references(content) == [str(row.pk) for row in listed]


def test_each_column_says_what_the_details_say():
    client = User.objects.create_user("+22376123456", first_name="Awa", last_name="Traoré")
    colleague = User.objects.create_user("+22370000009", first_name="Moussa", last_name="Keïta", role="agent_mali")
    at = timezone.now().replace(microsecond=0)
    one = rows.notification(
        "agent_mali",
        user=client,
        title="Arrivée",
        language="en",
        created_at=at,
        informed_at=at,
        informed_by=colleague,
        informed_how="phone",
    )
    for name in ("colis:TS2", "colis:TS1"):
        WhatsAppSubject.objects.create(notification=one, name=name)
    (row,) = table_of(exported(person_of("agent_mali", time_zone="Asia/Shanghai"), "agent_mali"))

    in_china = at.astimezone(ZoneInfo("Asia/Shanghai")).isoformat()
    assert in_china.endswith("+08:00")
    assert row == {
        "Reference": str(one.pk),
        "Office": "Mali office",
        "Person": "Awa Traoré",
        "Telephone": "'+22376123456",
        "Language": "English",
        "Type": "Departure from China",
        "Category": "Parcels on the way",
        "Title": "Arrivée",
        "Status": "Failed for good",
        "Cause": "Number without WhatsApp",
        "Error code": "131026",
        "Priority": "3",
        "Attempts": "1",
        "Sender": "",
        "Subjects": "colis:TS1, colis:TS2",
        "Created (Guangzhou)": in_china,
        "Accepted (Guangzhou)": "",
        "Delivered (Guangzhou)": "",
        "Read (Guangzhou)": "",
        "Failed (Guangzhou)": row["Failed (Guangzhou)"],
        "Told by a person (Guangzhou)": in_china,
        "Told by": "Moussa Keïta",
    }
    assert row["Failed (Guangzhou)"].endswith("+08:00")


def test_what_comes_after_the_press_is_not_in_the_file():
    old = rows.notification("agent_mali")
    person = person_of("agent_mali")
    wish = exports.Wish(Filters(), "csv")
    export = exports.create(wish, uuid.uuid4(), person, scopes.get("agent_mali"), timezone.now())
    rows.notification("agent_mali")
    exports.run(export.pk)

    assert references(content_of(browser_of(person), "agent_mali", export)) == [str(old.pk)]


@pytest.mark.parametrize("text", EVIL)
def test_no_cell_of_a_csv_file_is_a_formula(text: str):
    rows.notification("agent_mali", title=text, subject=text, error_code=text)
    person = person_of("agent_mali")
    content = exported(person, "agent_mali")

    (row,) = table_of(content)
    assert row["Title"] == row["Subjects"] == row["Error code"] == f"'{text}"
    for cell in row.values():
        assert not cell.lstrip().startswith(spreadsheets.FORMULA_SIGNS)


@pytest.mark.parametrize("text", [*EVIL, "#N/A", "#REF!"])
def test_every_cell_of_a_workbook_is_a_text_as_it_was(text: str):
    rows.notification("agent_mali", title=text, subject=text)
    cells = cells_of(exported(person_of("agent_mali"), "agent_mali", format="xlsx"))

    row = dict(zip((cell.value for cell in cells[0]), cells[1], strict=True))
    assert row["Title"].value == row["Subjects"].value == text.replace("\r", "\n")
    assert row["Telephone"].value == "+22376123456"
    assert row["Error code"].value == "131026"
    assert {cell.data_type for line in cells for cell in line if cell.value is not None} == {"s"}


def test_a_workbook_holds_no_formula_in_its_xml_and_keeps_its_headings_in_sight():
    rows.notification("agent_mali", title="=1+1")
    content = exported(person_of("agent_mali"), "agent_mali", format="xlsx")

    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert 't="inlineStr"' in sheet
    assert 'state="frozen"' in sheet
    assert '<autoFilter ref="A1:V2"' in sheet
    assert "<cols>" in sheet


def test_what_xml_cannot_hold_is_left_out_of_a_file():
    rows.notification("agent_mali", title="a\x01b\x0bc\x1fd\uffffe")
    person = person_of("agent_mali")
    cells = cells_of(exported(person, "agent_mali", format="xlsx"))

    assert "abcde" in [cell.value for cell in cells[1]]


def test_a_csv_file_opens_in_columns_where_people_speak_french():
    rows.notification("agent_mali", title="Départ ; arrivée")
    content = exported(person_of("agent_mali", language="fr"), "agent_mali")

    (row,) = table_of(content, delimiter=";")
    assert "Départ ; arrivée" in row.values()
    assert len(row) == 22


@pytest.mark.parametrize("office", OFFICES)
@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_numbers_are_hidden_in_the_files_of_the_offices_that_hide_them(office: str, format: str):
    nameless = User.objects.create_user("+22376123456")
    source = office if office in AGENT_OFFICES else "agent_mali"
    rows.notification(source, user=nameless, informed_at=timezone.now(), informed_how="phone", informed_by=nameless)
    content = exported(person_of(office), office, format=format)
    if format == "xlsx":
        texts = [str(cell.value) for line in cells_of(content) for cell in line]
    else:
        texts = [cell for row in table_of(content) for cell in row.values()]

    shown = [text for text in texts if "76123456" in text]
    assert bool(shown) == (office in AGENT_OFFICES)
    assert any(text.endswith("+223 •• •• •• 56") for text in texts) == (office in ADMIN_OFFICES)


def test_texts_are_for_those_who_are_permitted():
    rows.notification("agent_mali", message_content="Bonjour Awa")
    person = person_of("agent_mali")
    page = browser_of(person).get(reverse("agent_mali:whatsapp_export_create"))

    assert "with_texts" not in page.content.decode()
    assert "Bonjour Awa" not in exported(person, "agent_mali", with_texts="on").decode()
    assert not WhatsAppExport.objects.get().with_texts


def test_texts_hide_links_and_secrets():
    rows.notification("agent_mali", message_content="Choose: {first_password_link} now")
    rows.notification("agent_mali", message_content="Your code is 1234", is_secret=True)
    person = person_of("agent_mali")
    allow_texts(person)
    content = exported(person, "agent_mali", with_texts="on")

    texts = {row["Text"] for row in table_of(content)}
    assert texts == {"Choose: [personal link, never stored] now", "[secret text, never exported]"}


def test_who_may_not_read_texts_any_more_gets_none():
    rows.notification("agent_mali", message_content="Bonjour Awa")
    person = person_of("agent_mali")
    allow_texts(person)
    wish = exports.Wish(Filters(), "csv", with_texts=True)
    wanted = User.objects.get(pk=person.pk)
    export = exports.create(wish, uuid.uuid4(), wanted, scopes.get("agent_mali"), timezone.now())
    assert export.with_texts
    person.user_permissions.clear()
    exports.run(export.pk)

    assert "Bonjour Awa" not in content_of(browser_of(person), "agent_mali", export).decode()


@pytest.mark.parametrize("role", ["admin_mali", "agent_chine", "client"])
def test_who_left_the_office_before_the_file_was_written_gets_none(role: str):
    rows.notification("agent_mali")
    person = person_of("agent_mali")
    wish = exports.Wish(Filters(), "csv")
    export = exports.create(wish, uuid.uuid4(), person, scopes.get("agent_mali"), timezone.now())
    person.role = role
    person.save()
    person.join_office_of_role()
    exports.run(export.pk)
    export.refresh_from_db()

    assert (export.error, export.file) == ("not_theirs", "")
    assert export.finished_at


@pytest.mark.parametrize("foreign", OFFICES)
@pytest.mark.parametrize("office", AGENT_OFFICES)
@pytest.mark.parametrize(
    "query",
    ["", "source_app={0}", "q=secret-of-{0}", "status=failed", "category=category-of-{0}", "telephone=66000000"],
)
def test_no_file_of_an_agent_s_office_holds_a_foreign_message(office: str, foreign: str, query: str):
    for each in OFFICES:
        rows.notification(each, title=f"secret-of-{each}", category=f"category-of-{each}", phone_number="+22366000000")
    person = person_of(office)
    allow_texts(person)
    content = exported(person, office, query.format(foreign), with_texts="on").decode()

    for other in set(OFFICES) - {office}:
        assert f"secret-of-{other}" not in content


def addresses_of(office: str, export: WhatsAppExport) -> Iterator[tuple[str, str]]:
    yield "get", reverse(f"{office}:whatsapp_export", args=[export.pk])
    yield "get", reverse(f"{office}:whatsapp_export_file", args=[export.pk])
    yield "post", reverse(f"{office}:whatsapp_export_delete", args=[export.pk])


@pytest.mark.parametrize("reader", ["agent_mali", "admin_mali"])
def test_an_export_is_for_the_person_who_asked_in_the_office_where_they_asked(reader: str):
    rows.notification("agent_mali")
    export = rows.export("agent_mali")
    colleague = browser_of(person_of(reader))
    owner = browser_of(export.requested_by)

    for method, address in addresses_of(reader, export):
        assert getattr(colleague, method)(address).status_code == 404
    assert str(export.pk) not in colleague.get(reverse(f"{reader}:whatsapp_exports")).content.decode()
    assert WhatsAppExport.objects.filter(pk=export.pk).exists()
    for _method, address in list(addresses_of("agent_mali", export))[:2]:
        assert owner.get(address).status_code == 200
    superuser = browser_of(User.objects.create_superuser("+22370005556", language="en"))
    for method, address in addresses_of("agent_mali", export):
        assert getattr(superuser, method)(address).status_code == 404


def test_an_export_of_one_office_is_unknown_in_the_person_s_other_office():
    export = rows.export("agent_mali")
    person = export.requested_by
    person.user_permissions.add(Permission.objects.get(codename="work_in_agent_chine"))

    for method, address in addresses_of("agent_chine", export):
        assert getattr(browser_of(person), method)(address).status_code == 404


def test_a_file_is_handed_out_by_its_page_alone_and_is_kept_by_nobody_on_the_way():
    rows.notification("agent_mali")
    export = rows.export("agent_mali", format="xlsx")
    answer = browser_of(export.requested_by).get(reverse("agent_mali:whatsapp_export_file", args=[export.pk]))

    day = timezone.localtime(export.created_at).date()
    assert answer.headers["Content-Disposition"] == f'attachment; filename="messages-{day}.xlsx"'
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert Browser().get(f"/media/{export.file}").status_code == 404


def test_pressing_twice_makes_one_export_and_one_entry():
    rows.notification("agent_mali")
    person, request_id = person_of("agent_mali"), str(uuid.uuid4())
    browser = browser_of(person)
    first, second = (ask(browser, "agent_mali", "q=76123456", request_id=request_id) for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    export = WhatsAppExport.objects.get()
    entry = WhatsAppAuditEntry.objects.get()
    assert (entry.action, entry.target, entry.actor) == (Action.EXPORT, str(export.pk), person)
    assert entry.detail == "1 message · csv · q"
    # Another choice in the same form, after the browser's “back”.
    ask(browser, "agent_mali", "q=76123456", request_id=request_id, format="xlsx")
    assert WhatsAppExport.objects.count() == 2


def test_the_same_form_of_two_people_makes_two_exports():
    request_id = str(uuid.uuid4())
    for office in AGENT_OFFICES:
        person = User.objects.create_user(f"+2237000777{len(office) % 10}", role=office)
        assert ask(browser_of(person), office, request_id=request_id).status_code == 302

    assert WhatsAppExport.objects.values("requested_by").distinct().count() == 2


@pytest.mark.parametrize("fields", [{"format": "exe"}, {"format": ""}, {"request_id": "x"}])
def test_a_form_that_is_not_understood_makes_nothing(fields: dict[str, str]):
    rows.notification("agent_mali")
    assert ask(browser_of(person_of("agent_mali")), "agent_mali", **fields).status_code == 422
    assert not WhatsAppExport.objects.exists()


def test_a_workbook_that_excel_cannot_hold_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spreadsheets, "ROWS_OF_A_SHEET", 2)
    for _ in range(2):
        rows.notification("agent_mali")
    browser = browser_of(person_of("agent_mali"))
    answer = ask(browser, "agent_mali", format="xlsx")

    assert answer.status_code == 422
    assert "Choose CSV" in answer.content.decode()
    assert not WhatsAppExport.objects.exists()
    assert ask(browser, "agent_mali").status_code == 302


def test_the_page_says_how_many_and_of_what(log_in: Callable[..., Browser]):
    browser = log_in("agent_mali", language="en")
    rows.notification("agent_mali")
    address = reverse("agent_mali:whatsapp_export_create")

    page = browser.get(f"{address}?status=failed&period=week").content.decode()
    assert "1 message" in page
    assert "Status: Failed for good" in page
    assert "Period: Last 7 days" in page
    assert "There is nothing to export" in browser.get(f"{address}?status=read").content.decode()
    assert "not understood" in browser.get(f"{address}?status=unheard").content.decode()


def test_a_count_is_exact_up_to_a_bound(monkeypatch: pytest.MonkeyPatch, log_in: Callable[..., Browser]):
    monkeypatch.setattr(exports, "COUNTED_AT_MOST", 2)
    browser, address = log_in("agent_mali", language="en"), reverse("agent_mali:whatsapp_export_create")
    for expected in ("1 message<", "2 messages<", "More than 2 messages<"):
        rows.notification("agent_mali")
        assert expected in browser.get(address).content.decode()


def test_pages_ask_few_questions_whatever_the_number_of_exports():
    export = rows.export("agent_mali")
    browser = browser_of(export.requested_by)

    def question_count(*names: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            for name in names:
                browser.get(reverse(f"agent_mali:{name}"))
        return len(asked)

    browser.get(reverse("agent_mali:whatsapp_exports"))
    few = question_count("whatsapp_exports")
    for _ in range(5):
        rows.export("agent_mali")
    assert question_count("whatsapp_exports") == few <= 12
    assert question_count("whatsapp_export_create") <= 12


def test_a_deleted_export_leaves_nothing_but_the_entry():
    rows.notification("agent_mali")
    export = rows.export("agent_mali")
    path = Path(django_settings.MEDIA_ROOT) / export.file
    assert path.exists()
    browser = browser_of(export.requested_by)
    answer = browser.post(reverse("agent_mali:whatsapp_export_delete", args=[export.pk]))

    assert answer.headers["Location"] == reverse("agent_mali:whatsapp_exports")
    assert not path.exists()
    assert not WhatsAppExport.objects.exists()
    assert WhatsAppAuditEntry.objects.filter(target=str(export.pk)).count() == 1


def test_an_export_that_is_deleted_while_it_is_written_leaves_no_file(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exports, "CHUNK", 1)
    for _ in range(3):
        rows.notification("agent_mali")
    person = person_of("agent_mali")
    export = exports.create(
        exports.Wish(Filters(), "xlsx"), uuid.uuid4(), person, scopes.get("agent_mali"), timezone.now()
    )

    def now() -> Any:
        WhatsAppExport.objects.filter(done=2).delete()
        return timezone.now()

    assert exports.run(export.pk, now=now)
    assert list((Path(django_settings.MEDIA_ROOT) / "exports").iterdir()) == []


def test_a_file_goes_when_its_days_are_over_and_its_row_says_so():
    rows.notification("agent_mali")
    export, later = rows.export("agent_mali"), rows.export("agent_mali")
    WhatsAppExport.objects.filter(pk=export.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    browser = browser_of(export.requested_by)
    assert browser.get(reverse("agent_mali:whatsapp_export_file", args=[export.pk])).status_code == 404
    folder = Path(django_settings.MEDIA_ROOT) / "exports"
    (folder / f"{uuid.uuid4()}.csv").write_text("of somebody who is gone")
    (folder / f"{export.pk}-{uuid.uuid4()}.part").write_text("of a run that died")

    deleted = cleanup.delete_old(timezone.now(), keep=90 * DAY, keep_payloads=7 * DAY)
    assert (deleted["files"], deleted["exports"]) == (3, 0)
    assert [path.name for path in folder.iterdir()] == [f"{later.pk}.csv"]
    assert WhatsAppExport.objects.get(pk=export.pk).file == ""
    page = browser.get(reverse("agent_mali:whatsapp_export", args=[export.pk])).content.decode()
    assert "/file/" not in page

    deleted = cleanup.delete_old(timezone.now() + 91 * DAY, keep=90 * DAY, keep_payloads=7 * DAY)
    assert (deleted["files"], deleted["exports"]) == (1, 2)
    assert list(folder.iterdir()) == []


def test_what_a_killed_run_has_put_aside_is_deleted_a_day_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, young, other = (tmp_path / name for name in ("openpyxl.old", "openpyxl.young", "somebody-s"))
    for path in (old, young, other):
        path.write_text("rows")
    long_ago = (timezone.now() - 2 * DAY).timestamp()
    for path in (old, other):
        os.utime(path, (long_ago, long_ago))
    exports.forget_files(timezone.now())

    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["openpyxl.young", "somebody-s"]


def test_a_folder_that_cannot_be_written_is_told_in_words(settings: Any, tmp_path: Path):
    (tmp_path / "a-file").write_text("")
    settings.MEDIA_ROOT = tmp_path / "a-file"
    rows.notification("agent_mali")
    person = person_of("agent_mali")
    browser = browser_of(person)
    page = browser.get(ask(browser, "agent_mali").headers["Location"]).content.decode()

    assert "The file could not be written." in page
    assert WhatsAppExport.objects.get().error == "not_written"


def test_what_no_run_can_finish_is_given_up_at_last():
    person = person_of("agent_mali")
    at = timezone.now()
    export = exports.create(exports.Wish(Filters(), "csv"), uuid.uuid4(), person, scopes.get("agent_mali"), at)

    assert exports.lost(at + recovery.PATIENCE, recovery.PATIENCE) == []
    assert exports.lost(at + recovery.PATIENCE + timedelta(seconds=1), recovery.PATIENCE) == [export.pk]
    assert exports.lost(at + exports.GIVEN_UP_AFTER + DAY, recovery.PATIENCE) == []
    export.refresh_from_db()
    assert export.error == "not_written"


def test_a_run_that_slept_through_its_lease_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exports, "CHUNK", 1)
    for _ in range(3):
        rows.notification("agent_mali")
    person = person_of("agent_mali")
    asleep: list[bool] = []
    export = exports.create(
        exports.Wish(Filters(), "csv"), uuid.uuid4(), person, scopes.get("agent_mali"), timezone.now()
    )

    def now() -> Any:
        at = timezone.now()
        if not asleep and WhatsAppExport.objects.filter(done=1).exists():
            asleep.append(True)
            assert exports.run(export.pk, now=lambda: at + exports.LEASE + timedelta(seconds=1))
        return at

    assert exports.run(export.pk, now=now)
    assert len(table_of(content_of(browser_of(person), "agent_mali", export))) == 3
    assert [path.name for path in (Path(django_settings.MEDIA_ROOT) / "exports").iterdir()] == [f"{export.pk}.csv"]


# --- With a worker


@pytest.fixture
def shared_media(stack: Stack, settings: Any) -> Iterator[Path]:
    """The folder that the worker process writes to."""
    settings.MEDIA_ROOT = ROOT / "var" / "media"
    yield settings.MEDIA_ROOT
    for code in WhatsAppExport.objects.values_list("pk", flat=True):
        exports.delete_file(code)


def test_a_large_export_is_written_by_a_worker_while_its_page_says_how_far_it_is(
    shared_media: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exports, "AT_ONCE", 10)
    WhatsAppNotification.objects.bulk_create(
        WhatsAppNotification(
            source_app="agent_mali",
            status=Status.READ,
            phone_number="+22376123456",
            message_type="expedition",
            category="colis_status",
            title=f"Titre {number}",
            message_content="Votre colis est parti.",
            created_at=timezone.now(),
        )
        for number in range(3_000)
    )
    person = person_of("agent_mali")
    browser = browser_of(person)
    page = ask(browser, "agent_mali", format="xlsx").headers["Location"]
    first = browser.get(page).content.decode()
    export = WhatsAppExport.objects.get()

    def written() -> WhatsAppExport | None:
        piece = browser.get(page, headers={"HX-Request": "true"}).content.decode()
        assert "<html" not in piece
        is_over = bool(WhatsAppExport.objects.filter(pk=export.pk, finished_at__isnull=False).exists())
        return WhatsAppExport.objects.get() if is_over else None

    if WhatsAppExport.objects.get().finished_at is None:
        assert "You may leave this page" in first
    export = eventually(written, "the worker writes the file")
    assert (export.error, export.done, export.total) == ("", 3_000, 3_000)
    assert "hx-get" not in browser.get(page, headers={"HX-Request": "true"}).content.decode()
    cells = cells_of(content_of(browser, "agent_mali", export))
    assert len(cells) == 3_001


def test_an_export_survives_the_death_of_its_worker(shared_media: Path):
    for number in range(5):
        rows.notification("agent_mali", title=f"Titre {number}")
    person = person_of("agent_mali")
    export = exports.create(
        exports.Wish(Filters(), "csv"), uuid.uuid4(), person, scopes.get("agent_mali"), timezone.now()
    )
    program = (
        "import django, sys, time, uuid; django.setup()\n"
        "from django.utils import timezone\n"
        "from whatsapp_monitoring_app.models import WhatsAppExport\n"
        "from whatsapp_monitoring_app.services import exports\n"
        "exports.CHUNK = 2\n"
        "def now():\n"
        "    if WhatsAppExport.objects.filter(done=4).exists():\n"
        "        print('half', flush=True); sys.stdin.read()\n"
        "    return timezone.now()\n"
        f"exports.run(uuid.UUID('{export.pk}'), now=now)\n"
    )
    environment = child_environment(DJANGO_SETTINGS_MODULE="ts_air_cargo.settings")
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as mortal:
        assert mortal.stdout
        assert mortal.stdout.readline() == b"half\n"
        mortal.send_signal(signal.SIGKILL)
    export.refresh_from_db()
    assert (export.finished_at, export.done) == (None, 4)
    assert not exports.run(export.pk)  # the dead one still holds it
    parts = list((shared_media / "exports").glob(f"{export.pk}*"))
    assert [part.suffix for part in parts] == [".part"]

    WhatsAppExport.objects.update(
        claimed_until=timezone.now() - timedelta(seconds=1),
        created_at=timezone.now() - recovery.PATIENCE - timedelta(seconds=1),
    )
    WhatsAppNotification.objects.update(created_at=timezone.now() - DAY)
    assert tasks.recover_whatsapp_notifications()["exports"] == 1
    eventually(
        lambda: WhatsAppExport.objects.filter(finished_at__isnull=False, error="").exists(), "the next run finishes"
    )
    assert len(table_of(content_of(browser_of(person), "agent_mali", export))) == 5
    names = [path.name for path in (shared_media / "exports").glob(f"{export.pk}*")]
    assert names == [f"{export.pk}.csv"]
