"""The import of clients: a dry run that shows every bad line, then a progress bar, and each client once."""

import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from agent_chine_app import client_creation, client_files, client_import
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, ClientCreation, ClientImport
from agent_chine_app.tasks import bring_in_clients, forget_old_imports, recover_client_creations
from tests import rows
from tests.stack import Stack
from tests.waiting import eventually
from whatsapp_monitoring_app.models import Status, WhatsAppNotification

FORM = "/agent-chine/clients/import/"
HEADING = "Téléphone;Prénom;Nom;Langue;Pays"
JEAN = "+22376123456"
MANY = 60


def line(number: int, **changes: str) -> str:
    cells = {"telephone": f"+2237612{number:04}", "first_name": f"Awa{number}", "last_name": "Traoré"}
    return ";".join([*{**cells, **changes}.values(), "fr", "Mali"])


def file_of(*lines: str, name: str = "clients.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, "\n".join([HEADING, *lines]).encode())


def upload(browser: Browser, *lines: str, request_id: uuid.UUID | None = None) -> Any:
    return browser.post(FORM, {"request_id": str(request_id or uuid.uuid4()), "file": file_of(*lines)})


def checked(browser: Browser, *lines: str) -> ClientImport:
    answer = upload(browser, *lines)
    assert answer.status_code == 302
    return ClientImport.objects.get(pk=answer.headers["Location"].split("/")[-2])


def press(browser: Browser, name: str, batch: ClientImport, **values: str) -> Any:
    return browser.post(reverse(f"agent_chine:client_import_{name}", args=[batch.pk]), values)


def page_of(browser: Browser, batch: ClientImport, **query: Any) -> Any:
    return browser.get(reverse("agent_chine:client_import", args=[batch.pk]), query)


def finished(batch: ClientImport) -> ClientImport:
    eventually(lambda: ClientImport.objects.filter(pk=batch.pk, status="finished").exists(), "the import is over")
    batch.refresh_from_db()
    return batch


def started(lines: Sequence[str], by: User, *, minutes_ago: float = 3, tells: bool = True) -> ClientImport:
    """An import that somebody has started, and whose task nobody ever gets."""
    content = "\n".join([HEADING, *lines]).encode()
    batch = client_import.check(uuid.uuid4(), "clients.csv", content, by)
    assert client_import.start(batch.pk, by, tells=tells, at=timezone.now() - timedelta(minutes=minutes_ago))
    return batch


@pytest.fixture
def agent(make_user: Callable[..., User]) -> User:
    return make_user(role="agent_chine", language="en")


@pytest.fixture
def browser(agent: User) -> Browser:
    browser = Browser()
    browser.force_login(agent)
    return browser


def assert_everybody_once(stack: Stack, count: int):
    assert Client.objects.count() == User.objects.filter(role="client").count() == count
    sent = WhatsAppNotification.objects.filter(provider_message_id__isnull=False)
    eventually(lambda: sent.count() == count, "everybody's message is accepted")
    assert WhatsAppNotification.objects.count() == count
    assert sorted(message["to"] for message in stack.messages()) == sorted(
        Client.objects.values_list("user__telephone", flat=True)
    )


def test_sixty_clients_are_brought_in_and_told_once_however_often_that_is_confirmed(stack: Stack, browser: Browser):
    batch = checked(browser, *map(line, range(MANY)))
    assert not Client.objects.exists()

    answers = [press(browser, "start", batch, tells="on") for _ in range(3)]
    finished(batch)
    press(browser, "start", batch, tells="on")
    press(browser, "discard", batch)

    assert {answer.headers["Location"] for answer in answers} == {f"{FORM}{batch.pk}/"}
    assert_everybody_once(stack, MANY)
    assert ClientCreation.objects.filter(batch=batch, status="SUCCESS", was_new=True).count() == MANY
    assert set(WhatsAppNotification.objects.values_list("priority", flat=True)) == {5}, "urgent ones go first"
    client = Client.objects.get(user__telephone="+22376120007")
    assert (str(client), client.country, client.user.language) == ("Awa7 Traoré", "ML", "fr")
    batch.refresh_from_db()
    assert (batch.status, batch.lines) == ("finished", [])
    eventually(lambda: page_of(browser, batch).context["progress"].told == MANY, "the page counts them")


def test_nobody_is_told_unless_the_agent_says_so(stack: Stack, browser: Browser):
    batch = checked(browser, line(1), line(2))
    assert 'name="tells" id="id_tells">' in page_of(browser, batch).content.decode().replace(
        ' aria-describedby="id_tells_helptext"', ""
    ), "not ticked"
    press(browser, "start", batch)
    finished(batch)

    assert Client.objects.count() == 2
    assert not WhatsAppNotification.objects.exists()
    assert "Nobody" in page_of(browser, batch).content.decode()


def test_an_import_whose_task_was_lost_is_found_again(stack: Stack, agent: User):
    batch = started([*map(line, range(3))], agent)

    assert recover_client_creations() == 1
    assert recover_client_creations() == 0, "it was rung just now"
    finished(batch)
    assert_everybody_once(stack, 3)


@pytest.mark.parametrize("step", ["create_client", "tell"])
def test_an_import_whose_worker_died_goes_on_where_it_was(
    step: str, stack: Stack, agent: User, monkeypatch: pytest.MonkeyPatch
):
    batch = started([*map(line, range(5))], agent)
    take, taken = getattr(client_creation, step), []

    def die_at_the_third(*args: Any, **options: Any) -> Any:
        taken.append(args)
        if len(taken) == 3:
            raise SystemExit
        return take(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(client_creation, step, die_at_the_third)
        pytest.raises(SystemExit, client_import.run, batch.pk)
    assert ClientCreation.objects.filter(batch=batch, status="SUCCESS").count() == 2

    ClientImport.objects.update(rung_at=timezone.now() - timedelta(minutes=3))
    assert recover_client_creations() == 0, "the dead one still holds it"
    ClientImport.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert recover_client_creations() == 1
    finished(batch)
    assert_everybody_once(stack, 5)


@pytest.mark.django_db
def test_a_run_stops_after_a_few_clients_and_a_second_one_at_once_does_nothing(agent: User):
    batch = started([*map(line, range(client_import.CLIENTS_AT_A_TIME + 1))], agent, tells=False)
    ClientImport.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    assert bring_in_clients(str(batch.pk)) is False
    assert not Client.objects.exists()

    ClientImport.objects.update(claimed_until=None)
    assert client_import.run(batch.pk) is True
    assert Client.objects.count() == client_import.CLIENTS_AT_A_TIME
    assert client_import.run(batch.pk) is False
    assert Client.objects.count() == client_import.CLIENTS_AT_A_TIME + 1
    assert client_import.run(batch.pk) is False
    assert ClientImport.objects.get().finished_at


@pytest.mark.django_db
def test_a_fresh_or_unstarted_import_is_left_alone(agent: User):
    client_import.check(uuid.uuid4(), "clients.csv", f"{HEADING}\n{line(1)}".encode(), agent)
    started([line(2)], agent, minutes_ago=1)

    assert recover_client_creations() == 0
    assert not client_import.run(ClientImport.objects.get(status="checked").pk)
    assert not ClientCreation.objects.exists()


@pytest.mark.django_db
def test_the_dry_run_tells_new_known_double_and_bad_lines_apart_and_writes_no_client(browser: Browser):
    create_client(JEAN, "Jean", "Dupont")
    batch = checked(
        browser,
        line(1),
        line(2, telephone="22376123456"),
        line(1, first_name="Autre"),
        line(3, telephone="12", last_name=""),
        line(4).replace("fr;Mali", "klingon;Atlantis"),
    )
    page = page_of(browser, batch)

    assert (batch.new_count, batch.known_count, batch.double_count, batch.bad_count) == (1, 1, 1, 2)
    text = page.content.decode()
    for reason in (
        "The same number stands in line 2; only that one is brought in.",
        "“12”: This is not a telephone number. Write it with its country code.",
        "“Awa3”: A first name and a last name are needed.",
        "“klingon”: Unknown language. Write French, English or Chinese.",
        "“Atlantis”: Unknown country. Write its name, or its code of two letters.",
    ):
        assert reason in text
    assert [left_out.number for left_out in page.context["lines"]] == [4, 5, 6]
    assert page.context["lines"][1].text == "12 · Awa3 · fr · Mali"
    assert Client.objects.count() == 1
    assert not ClientCreation.objects.exists()


@pytest.mark.django_db
def test_a_file_without_a_bad_line_shows_no_table(browser: Browser):
    page = page_of(browser, checked(browser, line(1))).content.decode()

    assert "Bring in 1 client" in page
    assert "<table" not in page


@pytest.mark.django_db
def test_of_a_file_of_bad_lines_nobody_can_be_brought_in_and_its_lines_are_paged(browser: Browser):
    batch = checked(browser, *[line(number, telephone="12") for number in range(30)])
    first, second = page_of(browser, batch), page_of(browser, batch, page=2)

    assert (len(first.context["lines"]), len(second.context["lines"])) == (25, 5)
    assert "There is nobody to bring in from this file." in first.content.decode()
    assert f"/{batch.pk}/start/" not in first.content.decode()
    press(browser, "start", batch)
    assert ClientImport.objects.get().status == "checked"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "vide"),
        (HEADING.encode(), "no client below"),
        (b"x" * (2 * 1024 * 1024 + 100_000), "2 MB"),
        ("\n".join([HEADING, *[line(1)] * 5001]).encode(), "5,000 lines"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, ".xls"),
    ],
    ids=["empty", "columns only", "2.1 MB", "5,001 lines", "old Excel"],
)
def test_a_file_that_cannot_be_read_is_refused_on_the_form_and_nothing_is_written(
    content: bytes, word: str, browser: Browser
):
    request_id = str(uuid.uuid4())
    answer = browser.post(FORM, {"request_id": request_id, "file": SimpleUploadedFile("clients.csv", content)})

    assert answer.status_code == 422
    assert word in str(answer.context["form"].errors["file"])
    assert request_id in answer.content.decode()
    assert not ClientImport.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("changes", [{"request_id": "garbage"}, {"file": ""}], ids=repr)
def test_a_form_without_its_number_or_a_file_is_shown_again(changes: dict[str, str], browser: Browser):
    answer = browser.post(FORM, {"request_id": str(uuid.uuid4()), "file": file_of(line(1)), **changes})

    assert answer.status_code == 422
    assert not ClientImport.objects.exists()


@pytest.mark.django_db
def test_the_same_form_posted_twice_is_one_import_and_with_another_file_another(browser: Browser):
    request_id = uuid.uuid4()
    first, again, mended = (
        upload(browser, *lines, request_id=request_id).headers["Location"]
        for lines in ([line(1)], [line(1)], [line(1), line(2)])
    )

    assert first == again != mended
    assert ClientImport.objects.count() == 2


@pytest.mark.django_db
def test_a_discarded_import_keeps_nothing_and_cannot_be_started(browser: Browser):
    batch = checked(browser, line(1), line(2, telephone="12"))
    assert press(browser, "discard", batch).headers["Location"] == FORM
    press(browser, "start", batch, tells="on")

    batch.refresh_from_db()
    assert (batch.status, batch.lines, batch.errors) == ("discarded", [], [])
    assert "Nobody was brought in from this file" in page_of(browser, batch).content.decode()


@pytest.mark.django_db
def test_the_progress_refreshes_itself_until_it_is_over(browser: Browser, agent: User):
    batch = started([line(1), line(2)], agent, tells=False)
    url = reverse("agent_chine:client_import", args=[batch.pk])
    page, piece = browser.get(url).content.decode(), browser.get(url, headers={"HX-Request": "true"}).content.decode()

    assert '<meta http-equiv="refresh"' in page
    for text in (page, piece):
        assert f'hx-get="{url}"' in text
        assert "0 of 2 clients" in text
    assert "<html" not in piece
    client_import.run(batch.pk)
    page, piece = browser.get(url).content.decode(), browser.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "hx-get" not in page + piece
    assert "2 clients were brought in." in page
    assert "http-equiv" not in page


@pytest.mark.django_db
def test_who_was_not_created_or_not_told_is_listed_with_the_reason(browser: Browser, agent: User):
    batch = started([line(1), line(2), line(3)], agent)
    client_import.run(batch.pk)
    first, second, third = ClientCreation.objects.order_by("telephone")
    assert first.notification_code
    WhatsAppNotification.objects.filter(pk=first.notification_code).delete()
    failed = rows.notification("agent_chine", Status.FAILED, subject=f"client:{second.client_id}")
    ClientCreation.objects.filter(pk=second.pk).update(notification_code=failed.pk)
    ClientCreation.objects.filter(pk=third.pk).update(status="FAILURE", client=None, error="The reason.")

    page = browser.get(reverse("agent_chine:client_import_troubles", args=[batch.pk])).content.decode()
    assert "Awa1" not in page
    assert reverse("agent_chine:client_details", args=[second.client_id]) in page
    assert reverse("agent_chine:whatsapp_attempt_details", args=[failed.pk]) in page
    assert "This number has no WhatsApp" in page
    assert "The reason." in page
    context = page_of(browser, batch).context
    assert (context["progress"].created, context["progress"].failed, context["trouble_count"]) == (2, 1, 2)


@pytest.mark.django_db
def test_a_client_who_came_meanwhile_is_not_created_twice(browser: Browser, agent: User):
    batch = started([line(1)], agent, tells=False)
    create_client("+22376120001", "Jean", "Dupont")
    client_import.run(batch.pk)

    assert (Client.objects.get().user.first_name, ClientCreation.objects.get().was_new) == ("Jean", False)
    assert page_of(browser, batch).context["progress"].known == 1


@pytest.mark.django_db
def test_the_lines_left_out_are_downloaded_for_mending_and_can_be_brought_in_again(browser: Browser):
    batch = checked(browser, line(1, telephone="+22312"), line(2, telephone="12"))
    answer = browser.get(reverse("agent_chine:client_import_lines", args=[batch.pk]))

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "lines-to-mend.csv" in answer.headers["Content-Disposition"]
    assert b"'+22312" in answer.content
    assert [each.cells["telephone"] for each in client_files.read(answer.content)] == ["+22312", "12"]


@pytest.mark.django_db
def test_a_person_finds_their_own_imports_again(browser: Browser, log_in: Callable[..., Browser]):
    batch = checked(browser, line(1))
    started([line(2)], User.objects.get(pk=log_in("agent_chine").session["_auth_user_id"]))

    assert list(browser.get(FORM).context["imports"]) == [batch]
    assert FORM in browser.get("/agent-chine/clients/").content.decode()


@pytest.mark.django_db
def test_an_import_does_not_push_single_clients_off_the_home_page(browser: Browser, agent: User):
    one, _ = client_creation.submit(
        client_creation.NewClient(telephone=JEAN, first_name="Jean", last_name="Dupont"), agent
    )
    client_import.run(started([*map(line, range(6))], agent, tells=False).pk)

    assert list(browser.get("/agent-chine/").context["creations"]) == [one]


@pytest.mark.django_db
def test_a_thousand_lines_are_judged_with_a_handful_of_queries(agent: User, django_assert_max_num_queries: Any):
    content = "\n".join([HEADING, *map(line, range(1000))]).encode()
    with django_assert_max_num_queries(8):
        batch = client_import.check(uuid.uuid4(), "clients.csv", content, agent)

    assert batch.new_count == 1000


def test_an_import_wakes_nobody_up_and_a_single_registration_is_told_at_once(settings: Any, agent: User):
    now = timezone.now()
    settings.WHATSAPP_QUIET_HOURS = ((now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time())
    client_import.run(started([line(1)], agent).pk)
    single, _ = client_creation.submit(
        client_creation.NewClient(telephone=JEAN, first_name="Jean", last_name="Dupont"), agent
    )
    client_creation.run(single.pk, now)

    told = {each.phone_number: each for each in WhatsAppNotification.objects.all()}
    leaves_at = told[JEAN].next_attempt_at
    assert leaves_at
    assert leaves_at - now < timedelta(minutes=1)
    assert told["+22376120001"].next_attempt_at == now + timedelta(hours=1)


@pytest.mark.parametrize("status", ClientImport.Status.values)
def test_old_imports_are_forgotten_with_the_people_in_them(status: str, settings: Any, agent: User):
    old = timezone.now() - timedelta(days=settings.WHATSAPP_RETENTION_DAYS + 1)
    facts: dict[str, Any] = {"telephone": JEAN, "first_name": "Jean", "last_name": "Dupont", "requested_by": agent}
    for created_at in (old, timezone.now()):
        batch = ClientImport.objects.create(file_name="clients.csv", status=status, created_at=created_at)
        ClientCreation.objects.create(batch=batch, created_at=created_at, **facts)
        ClientCreation.objects.create(status="SUCCESS", created_at=created_at, finished_at=created_at, **facts)
    forget_old_imports()

    assert ClientImport.objects.filter(created_at=old).exists() == (status == "started")
    assert ClientImport.objects.exclude(created_at=old).count() == 1
    assert ClientCreation.objects.filter(status="SUCCESS").count() == 1
    assert ClientCreation.objects.exclude(status="SUCCESS").count() == ClientImport.objects.count()


def test_administrators_see_imports_without_the_people_in_them(make_user: Callable[..., User], agent: User):
    batch = started([line(1), "nonsense"], agent)
    browser = Browser()
    browser.force_login(make_user("+22370000001", is_superuser=True, is_staff=True))
    page = browser.get(f"/admin/agent_chine_app/clientimport/{batch.pk}/change/").content.decode()

    assert "clients.csv" in page
    assert "Awa1" not in page
    assert "nonsense" not in page
