"""The role of a person gives the permission of their office, and takes the former one away."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client as Browser
from django.urls import reverse

from accounts import phones
from accounts.models import User
from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import WhatsAppSender

OFFICES = tuple(scopes.all_scopes())

pytestmark = pytest.mark.django_db


def offices_of(user: User) -> set[str]:
    fresh = User.objects.get(pk=user.pk)  # Django remembers a person's permissions on the object
    return {scope.office for scope in scopes.all_scopes().values() if fresh.has_perm(scope.permission)}


def test_the_offices_are_those_that_are_installed():
    assert set(OFFICES) == {"agent_chine", "agent_mali", "admin_chine", "admin_mali"}


@pytest.mark.parametrize("office", OFFICES)
def test_each_office_has_a_group_with_its_permission_alone(office: str):
    group = Group.objects.get(name=office)

    assert [permission.codename for permission in group.permissions.all()] == [f"work_in_{office}"]
    assert Permission.objects.filter(codename=f"work_in_{office}").count() == 1


def test_each_office_s_sender_has_the_label_that_the_office_gives_it_until_somebody_changes_it():
    labels = dict(WhatsAppSender.objects.values_list("code", "label"))
    assert labels == {"chine": "Chine", "mali": "Mali", "systeme": "Système"}

    WhatsAppSender.objects.filter(code="mali").update(label="TS Air Cargo Bamako")
    call_command("migrate", verbosity=0)
    assert WhatsAppSender.objects.get(code="mali").label == "TS Air Cargo Bamako"


def test_migrating_again_gives_a_lost_office_back_and_doubles_nothing():
    Group.objects.get(name="agent_mali").delete()
    Permission.objects.get(codename="work_in_agent_chine").delete()
    call_command("migrate", verbosity=0)

    assert set(Group.objects.values_list("name", flat=True)) == set(OFFICES)
    for office in OFFICES:
        assert Permission.objects.get(codename=f"work_in_{office}").group_set.get().name == office


@pytest.mark.parametrize("office", OFFICES)
def test_a_person_with_an_office_as_role_works_in_that_office_alone(office: str, make_user: Callable[..., User]):
    assert offices_of(make_user(role=office)) == {office}


@pytest.mark.parametrize("role", ["client", "work_in_agent_chine", "Agent_Chine", "nowhere"])
def test_any_other_role_works_in_no_office(role: str, make_user: Callable[..., User]):
    user = make_user(role=role)

    assert offices_of(user) == set()
    assert not user.groups.exists()


def test_a_client_is_what_a_person_is_by_default(make_user: Callable[..., User]):
    user = make_user()

    assert user.role == "client"
    assert user.is_client
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)


def test_a_changed_role_leaves_the_former_office_and_keeps_groups_that_are_no_office(make_user: Callable[..., User]):
    user = make_user(role="agent_chine")
    user.groups.add(Group.objects.create(name="accountants"))
    user.role = "agent_mali"
    user.save()
    user.join_office_of_role()

    assert offices_of(user) == {"agent_mali"}
    assert {group.name for group in user.groups.all()} == {"agent_mali", "accountants"}


@pytest.fixture
def edit(make_user: Callable[..., User]) -> Callable[..., Any]:
    """Edit a person in the admin site, as the form stands there, with these changes."""
    browser = Browser()
    browser.force_login(make_user(is_staff=True, is_superuser=True))

    def edit(user: User, **changes: str) -> Any:
        form = {
            "telephone": user.telephone,
            "role": user.role,
            "language": user.language,
            "time_zone": user.time_zone,
            "is_active": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
            "groups": list(user.groups.values_list("pk", flat=True)),
        }
        return browser.post(reverse("admin:accounts_user_change", args=[user.pk]), {**form, **changes})

    return edit


def test_a_role_changed_in_the_admin_site_changes_the_office(make_user: Callable[..., User], edit: Callable[..., Any]):
    user = make_user(role="agent_chine")

    assert edit(user, telephone="76 99 88 77", role="admin_mali").status_code == 302
    assert offices_of(user) == {"admin_mali"}
    assert User.objects.get(pk=user.pk).telephone == "+22376998877"


def test_a_person_made_in_the_admin_site_gets_the_office_of_their_role_and_the_time_zone_of_their_number(
    make_user: Callable[..., User],
):
    browser = Browser()
    browser.force_login(make_user(is_staff=True, is_superuser=True))
    form = {"telephone": "+225 07 07 12 34 56", "role": "agent_mali", "usable_password": "false"}

    assert browser.post(reverse("admin:accounts_user_add"), form).status_code == 302
    user = User.objects.get(telephone="+2250707123456")
    assert offices_of(user) == {"agent_mali"}
    assert user.time_zone == "Africa/Abidjan"


def test_a_person_made_by_code_gets_the_time_zone_of_their_number_unless_another_is_given():
    assert User.objects.create_user("+8613800138000").time_zone == "Asia/Shanghai"
    assert User.objects.create_user("+8613800138001", time_zone="Africa/Bamako").time_zone == "Africa/Bamako"


@pytest.mark.parametrize("time_zone", ["Bamako", "Mars/Olympus", "../etc/passwd"])
def test_the_admin_site_refuses_a_time_zone_in_which_no_page_could_be_shown(
    time_zone: str, make_user: Callable[..., User], edit: Callable[..., Any]
):
    user = make_user()

    assert edit(user, time_zone=time_zone).status_code == 200
    assert User.objects.get(pk=user.pk).time_zone == "Africa/Bamako"
    assert edit(user, time_zone="Asia/Shanghai").status_code == 302


def test_a_superuser_may_work_everywhere_and_enter_the_admin_site():
    chief = User.objects.create_superuser("+22370000102", "a long password")

    assert offices_of(chief) == set(OFFICES)
    assert chief.is_staff
    assert chief.check_password("a long password")


def test_a_closed_account_works_nowhere(make_user: Callable[..., User]):
    assert offices_of(make_user(role="agent_chine", is_active=False)) == set()


@pytest.mark.parametrize("telephone", ["", "76123456", "nobody", "+223 1"])
def test_an_account_without_a_full_number_is_refused_and_nothing_is_written(telephone: str):
    with pytest.raises(phones.InvalidTelephone):
        User.objects.create_user(telephone, "a long password", role="agent_chine")
    assert not User.objects.exists()


def test_one_number_in_two_spellings_is_one_account(make_user: Callable[..., User]):
    make_user("+223 76 12 34 56")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_user("+22376123456")
    assert User.objects.get().telephone == "+22376123456"


def test_an_account_without_a_password_has_no_usable_one():
    assert not User.objects.create_user("+22376123456").has_usable_password()


@pytest.mark.parametrize(
    ("fields", "destination"),
    [
        ({"role": "client"}, "client_home"),
        ({"role": "agent_chine"}, "agent_chine:home"),
        ({"role": "agent_mali"}, "agent_mali:home"),
        ({"role": "admin_chine"}, "admin_chine:home"),
        ({"role": "admin_mali"}, "admin_mali:home"),
        ({"role": "admin_mali", "is_superuser": True}, "admin_mali:home"),
    ],
)
def test_the_first_page_sends_each_person_to_where_they_work(
    fields: dict[str, Any], destination: str, log_in: Callable[..., Browser]
):
    answer = log_in(**fields).get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, reverse(destination))


def test_the_first_page_asks_a_stranger_to_log_in():
    answer = Browser().get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login/?next=/")
