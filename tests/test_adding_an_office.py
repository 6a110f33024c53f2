"""The promise of docs/adding-an-office.md: one command and one line make an office, and the core stays as it was."""

import os
import re
import shlex
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.stack import ROOT

pytestmark = pytest.mark.xdist_group("adding-an-office")

GUIDE = ROOT / "docs" / "adding-an-office.md"
SETTINGS = """\
from ts_air_cargo.settings import *

INSTALLED_APPS += ["agent_ivoire_app"]
"""
FILES = {
    "__init__.py",
    "apps.py",
    "migrations/__init__.py",
    "urls.py",
    "views.py",
    "whatsapp_integration.py",
    *(
        f"templates/agent_ivoire_app/{name}.html"
        for name in ("base", "home", "whatsapp_monitoring", "whatsapp_monitoring_list", "whatsapp_attempt_details")
    ),
}
CORE = ("accounts", "whatsapp_monitoring_app", "ts_air_cargo", "agent_*", "admin_*", "templates", "static", "locale")


@dataclass(frozen=True)
class Added:
    """The folder in which the command ran, what it said, and the files of the core before and after it."""

    folder: Path
    said: str
    before: dict[Path, bytes]
    after: dict[Path, bytes]


def run(*command: str, cwd: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def core() -> dict[Path, bytes]:
    """Every file that the project is made of, and what is in it."""
    files = (path for name in CORE for folder in ROOT.glob(name) for path in folder.rglob("*"))
    return {path: path.read_bytes() for path in files if path.is_file() and "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Added:
    folder, before = tmp_path_factory.mktemp("company"), core()
    (printed,) = re.findall(r"^python manage.py (add_office .+)$", GUIDE.read_text(), re.MULTILINE)
    done = run(str(ROOT / "manage.py"), *shlex.split(printed), cwd=folder)
    assert done.returncode == 0, done.stderr
    return Added(folder, done.stdout, before, core())


def database_of_its_own() -> str:
    """The address of a database that does not exist: pytest-django makes the one beside it, and drops it."""
    address, _, query = os.environ["DATABASE_URL"].partition("?")
    return f"{address.rpartition('/')[0]}/office_{uuid.uuid4().hex[:8]}" + (f"?{query}" if query else "")


def test_the_command_writes_one_folder_and_says_what_is_left_to_do(added: Added):
    written = {path.relative_to(added.folder / "agent_ivoire_app") for path in added.folder.rglob("*.*")}

    assert {str(path) for path in written} == FILES
    assert '"agent_ivoire_app",' in added.said
    assert "/agent-ivoire/" in added.said


def test_the_core_is_as_it_was(added: Added):
    assert added.after == added.before
    assert len(added.after) > 100


def test_what_is_written_is_clean_code(added: Added):
    options = (f"--config={ROOT / 'pyproject.toml'}", "--no-cache", "agent_ivoire_app")
    for command in (("check",), ("format", "--check")):
        done = run("-m", "ruff", *command, *options, cwd=added.folder)
        assert done.returncode == 0, done.stdout


def test_the_office_works_and_is_as_closed_as_the_others(added: Added):
    """Its own tests, and the whole matrix of who may open which screen, with settings that have the office."""
    (added.folder / "settings_with_the_office.py").write_text(SETTINGS)
    done = run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--ds=settings_with_the_office"),
        *("tests/new_office.py", "tests/test_tenancy.py", "-k", "new_office.py or agent_ivoire:"),
        cwd=ROOT,
        PYTHONPATH=str(added.folder),
        DATABASE_URL=database_of_its_own(),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 90
    assert "skipped" not in done.stdout


@pytest.mark.parametrize(
    ("office", "options", "reason"),
    [
        ("ivoire", {}, "cannot be an office"),
        ("Agent_Ivoire", {}, "cannot be an office"),
        ("agent_côte", {}, "cannot be an office"),
        ("agent_", {}, "cannot be an office"),
        ("agent_1", {}, "cannot be an office"),
        ("agent-ivoire", {}, "cannot be an office"),
        ("../agent_ivoire", {}, "cannot be an office"),
        ("agent_ivoire_app", {}, "Write agent_ivoire:"),
        ("agent_" + "o" * 35, {}, "too long"),
        ("agent_mali", {}, "is an office already"),
        ("agent_taken", {}, "There is a folder agent_taken_app already"),
        ("agent_ivoire", {"country": "Côte d'Ivoire"}, "is no country"),
        ("agent_ivoire", {"country": "XX"}, "is no country"),
        ("agent_ivoire", {"sender": "Côte d'Ivoire"}, "cannot be a sender"),
        ("agent_ivoire", {"label": " "}, "cannot be a name"),
        ("agent_ivoire", {"label": "two\nlines"}, "cannot be a name"),
        ("agent_ivoire", {"sender_label": "x" * 61}, "cannot be a name"),
    ],
)
def test_what_cannot_be_an_office_is_refused_and_nothing_is_written(
    office: str, options: dict[str, str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent_taken_app").mkdir()

    with pytest.raises(CommandError, match=re.escape(reason)) as refusal:
        call_command("add_office", office, **{"label": "An office", "country": "ci", **options})
    assert str(refusal.value).endswith("Nothing was written.")
    assert [*tmp_path.rglob("*")] == [tmp_path / "agent_taken_app"]


@pytest.mark.parametrize("label", ['The "new" office', "Bureau d’Abidjan", "100 % {office}\\"])
def test_a_label_is_written_as_it_was_given(label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    call_command("add_office", "agent_ivoire", label=label, country="CI", sender="mali", verbosity=0)
    written: dict[str, Any] = {}
    source = (tmp_path / "agent_ivoire_app" / "apps.py").read_text()
    exec(re.sub(r"_\(", "str(", source), written)  # noqa: S102 - what it says, without installing it

    config = written["AgentIvoireConfig"]
    assert (config.verbose_name, config.scope.label) == (label, label)
    assert (config.scope.sender, config.scope.country) == ("mali", "CI")
