"""The benchmarks work, and are honest. Nobody looks at a time here: the long form is `make bench`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from benchmarks import contenders, report
from benchmarks.__main__ import PARTS
from benchmarks.environment import Provider
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.processes import ROOT, Child, Died


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with Provider(0, dict(os.environ), tmp_path) as provider:
        yield provider


class Bookkeeper:
    """Sends by hand, and says that it has recorded so many."""

    name = "bookkeeper"

    def __init__(self, provider: Provider, says: int) -> None:
        self.provider = provider
        self.says = says

    def start(self, provider: Provider, stack: ExitStack) -> None: ...

    def prepare(self, count: int) -> None:
        self.count = count

    def go(self) -> None:
        with requests.Session() as session:
            for number in range(self.count):
                session.post(f"{self.provider.url}/v26.0/1/messages", json={"to": f"+2237000000{number}"})

    def finished(self) -> int:
        return self.says

    def recorded(self) -> int:
        return self.says

    def check(self) -> None: ...

    def verify(self) -> None: ...

    @property
    def processes(self) -> list[int]:
        return []


def test_the_short_form_measures_everything(tmp_path: Path):
    page = tmp_path / "performance.md"
    command = [sys.executable, "-m", "benchmarks", "--short", "--write", str(page)]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)

    assert run.returncode == 0, run.stderr[-3000:]
    text = page.read_text()
    assert "its numbers mean nothing" in text
    assert "Failed" not in text
    assert all(f"\n{part}\n" in run.stdout for part in PARTS)


def test_the_provider_gives_each_message_an_id_of_its_own(provider: Provider):
    with requests.Session() as session:
        answers = [session.post(f"{provider.url}/v26.0/1/messages", json={"to": "+22370000001"}) for _ in range(20)]

    assert len({answer.json()["messages"][0]["id"] for answer in answers}) == 20
    assert answers[0].json()["contacts"] == [{"input": "+22370000001", "wa_id": "22370000001"}]
    assert provider.counts()["requests"] == 20
    assert requests.get(provider.url).status_code == 404
    assert provider.counts()["requests"] == 20


@pytest.mark.parametrize("recorded", [4, 6])
def test_a_message_that_was_lost_or_doubled_leaves_no_figure(provider: Provider, recorded: int):
    bookkeeper = Bookkeeper(provider, says=recorded)
    bookkeeper.prepare(5)
    bookkeeper.go()

    with pytest.raises(contenders.Lost, match=f"5 owed, 5 taken by the provider, {recorded} recorded"):
        contenders.compare(bookkeeper, provider, 5)


def test_an_exact_count_is_accepted(provider: Provider):
    bookkeeper = Bookkeeper(provider, says=5)
    bookkeeper.prepare(5)
    bookkeeper.go()

    contenders.wait(bookkeeper, provider, 5)
    contenders.compare(bookkeeper, provider, 5)


def test_a_process_that_dies_is_told_with_its_last_words(tmp_path: Path):
    with Child("doomed", ["benchmarks.provider", "--latency", "soon"], dict(os.environ), tmp_path) as child:
        child.process.wait(60)
        with pytest.raises(Died, match="invalid float value"):
            child.check()


def test_the_page_says_which_figures_are_not_reached():
    figures = [
        Figure("bulk", "messages/s", (900, 1_200, 1_100), at_least(1_000), "bulk: messages/s"),
        Figure("bulk", "MB", (250,), at_most(200), "memory: MB"),
    ]

    table = report.required([report.Result("delivery", figures)])

    assert "| bulk: messages/s | ≥ 1,000 | 1,100 (900 – 1,200) | yes |" in table
    assert "| memory: MB | ≤ 200 | 250 | **no** |" in table


def test_a_part_that_failed_says_so_in_its_place():
    results = [report.Result("pages", [], "Died: no more"), report.Result("single", [Figure("a", "b", (1,))])]
    about = {"command": "python -m benchmarks", "rounds": "1", "warning": ""}

    page = report.page(results, {"processor": "1 × abacus"}, PARTS, about)

    assert "**Failed**: Died: no more" in page
    assert "| a | 1 |" in page
    assert "Not measured in this run." in page
