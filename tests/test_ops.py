"""The files for Prometheus and Grafana ask for what the page of the figures has, and every alert is explained."""

import json
import re
from typing import Any

import pytest
from django.utils import timezone

from tests.stack import ROOT
from whatsapp_monitoring_app import bells
from whatsapp_monitoring_app.services import metrics

RULES = (ROOT / "ops/prometheus/rules.yml").read_text()
DASHBOARD = json.loads((ROOT / "ops/grafana/dashboard.json").read_text())
EXPLAINED = (ROOT / "docs/observability.md").read_text()
NAME = re.compile(r"\b(?:whatsapp|django_http)_[a-z_]+\b")
ALERTS = re.findall(r"- alert: (\w+)", RULES)


def asked() -> set[str]:
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    unquoted = re.sub(r'"[^"]*"', "", RULES + "\n".join(queries))  # a queue and a view have such names too
    words = set(NAME.findall(unquoted))
    return {word.removesuffix("_bucket") for word in words}


@pytest.fixture
def told(transactional_db: None) -> set[str]:
    from django_prometheus.middleware import Metrics

    Metrics.get_instance()
    page = metrics.page(timezone.now(), bells.queue_for).decode()
    return set(re.findall(r"^# HELP (\S+)", page, re.MULTILINE))


def test_everything_that_is_asked_for_is_told(told: set[str]):
    assert asked() <= told


def test_everything_of_ours_that_is_told_is_explained(told: set[str]):
    ours = {name for name in told if name.startswith("whatsapp_")}
    assert {name for name in ours if f"`{name}" not in EXPLAINED} == set()


def test_there_are_alerts_and_panels():
    assert len(ALERTS) == len(set(ALERTS)) > 15
    assert len(DASHBOARD["panels"]) > 20


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_to_do(alert: str):
    assert re.search(rf"^\| `{alert}` \|[^|]+\|[^|]+\|$", EXPLAINED, re.MULTILINE)


def test_every_explained_alert_exists():
    assert re.findall(r"^\| `(Cargo\w+)`", EXPLAINED, re.MULTILINE) == ALERTS


def test_no_two_panels_lie_upon_one_another():
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at: dict[str, Any] = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        taken |= cells
