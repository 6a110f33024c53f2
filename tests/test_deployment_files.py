"""What docker-compose.yml promises: all runs, once where once is meant, and nothing is open that need not be."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.conf import settings

from tests.stack import ROOT

Service = dict[str, Any]

COMPOSE = ROOT / "docker-compose.yml"
SEVERAL = ROOT / "docker-compose.several.yml"
CELERY = ["celery", "-A", "ts_air_cargo"]
CONCURRENCY = 32
# Beside a worker's threads: its main thread, its pulse, its standby, its event loop.
WORKER_EXTRA = 4
WEB_CONNECTIONS = 2 * 8
# beat, watch, Flower, migrate, check, a backup, a shell; and three that PostgreSQL keeps for its administrator.
OTHER_CONNECTIONS = 10


def services_of(path: Any = COMPOSE) -> dict[str, Service]:
    return yaml.safe_load(path.read_text())["services"]


SERVICES = services_of()
ONE_SHOTS = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
OURS = {name for name, service in SERVICES.items() if service["image"] == "ts-air-cargo"}


def started_by(word: str) -> list[str]:
    """The services that run this part of Celery."""
    return [name for name, service in SERVICES.items() if service.get("command", [])[:4] == [*CELERY, word]]


def queues_of(service: Service) -> list[str]:
    command = service["command"]
    return command[command.index("-Q") + 1].split(",")


@pytest.mark.parametrize("path", [COMPOSE, SEVERAL], ids=lambda path: path.name)
def test_the_files_are_what_the_compose_specification_says(path: Any):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_queue_has_a_worker_that_always_runs_and_empties_it_in_its_turn():
    order = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    workers = [SERVICES[name] for name in started_by("worker")]
    always = [queues_of(service) for service in workers if "profiles" not in service]

    assert {queue for queues in always for queue in queues} == set(order)
    for queues in map(queues_of, workers):
        assert queues == [name for name in order if name in queues]


def test_what_is_urgent_has_a_worker_that_no_bulk_ever_fills():
    assert queues_of(SERVICES["worker-urgent"]) == ["whatsapp_high", "whatsapp", "default"]


def test_there_is_exactly_one_beat_and_no_worker_brings_another():
    assert started_by("beat") == ["beat"]
    assert "replicas" not in SERVICES["beat"]["deploy"]
    assert not any({"-B", "--beat"} & set(SERVICES[name]["command"]) for name in started_by("worker"))


def test_nothing_is_published_but_caddy():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]
    assert not any(service.get("network_mode") for service in SERVICES.values())


def test_what_holds_the_data_is_on_a_network_that_leads_nowhere():
    assert yaml.safe_load(COMPOSE.read_text())["networks"]["inside"]["internal"] is True
    for name in ("postgres", "redis", "flower", "backup"):
        assert SERVICES[name]["networks"] == ["inside"]
    assert "inside" not in SERVICES["caddy"]["networks"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_read_only_limited_and_forgets_its_logs(name: str):
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(re.match(r"/[a-z/]+:size=\d+m", mount) for mount in service["tmpfs"])
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOTS))
def test_every_service_that_stays_says_whether_it_is_well_and_comes_back(name: str):
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_one_shots_are_waited_for():
    assert {"migrate", "check", "restore"} == ONE_SHOTS
    for name in sorted(OURS - ONE_SHOTS):
        awaited = SERVICES[name]["depends_on"]
        assert awaited["migrate"] == {"condition": "service_completed_successfully"}
        # What sends and what plans waits for the check; web and watch are there so that somebody can put things right.
        assert ("check" in awaited) == (name not in ("web", "watch"))


def test_all_our_processes_run_from_one_image_whose_user_is_not_root():
    assert {"web", "beat", "watch", "flower", "migrate", "check", *started_by("worker")} <= OURS
    for name in OURS:
        assert "user" not in SERVICES[name]
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    final = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM")) :]
    assert [line for line in final if line.startswith("USER")] == ["USER 10001:10001"]
    assert not any("SECRET" in line for line in final)


@pytest.mark.parametrize("name", sorted(set(SERVICES) - OURS - {"caddy", "restore"}))
def test_the_others_run_as_the_user_of_their_image(name: str):
    assert SERVICES[name]["user"] == "999:999"


def test_processes_have_the_time_to_end_what_they_began():
    for name in started_by("worker"):
        grace = SERVICES[name]["stop_grace_period"]
        assert int(grace.removesuffix("s")) > settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT
    assert int(SERVICES["web"]["stop_grace_period"].removesuffix("s")) > 30  # gunicorn's graceful_timeout


def test_the_connections_of_all_processes_fit_into_postgresql():
    [given] = [option for option in SERVICES["postgres"]["command"] if option.startswith("max_connections=")]
    workers = len(started_by("worker")) * (CONCURRENCY + WORKER_EXTRA)

    assert workers + WEB_CONNECTIONS + OTHER_CONNECTIONS <= int(given.partition("=")[2])


def names_in(value: Any) -> Iterator[str]:
    """The variables that Compose fills in."""
    yield from re.findall(r"(?<!\$)\$\{([A-Z_]+)", json.dumps(value))


@pytest.mark.parametrize("path", [COMPOSE, SEVERAL], ids=lambda path: path.name)
def test_every_variable_of_the_files_stands_in_the_example(path: Any):
    example = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    asked = set(names_in(services_of(path)))

    assert asked
    assert asked - example == set()


UNITS = {path.name: path.read_text() for path in (ROOT / "ops" / "systemd").glob("*.service")}


def test_without_containers_the_same_processes_run():
    queues = {name: found[1].split(",") for name, unit in UNITS.items() if (found := re.search(r" -Q (\S+)", unit))}

    assert queues == {
        "ts-air-cargo-worker-urgent.service": queues_of(SERVICES["worker-urgent"]),
        "ts-air-cargo-worker@.service": queues_of(SERVICES["worker"]),
        "ts-air-cargo-messages@.service": queues_of(SERVICES["worker-messages"]),
    }
    assert [name for name, unit in UNITS.items() if "ts_air_cargo beat" in unit] == ["ts-air-cargo-beat.service"]


@pytest.mark.parametrize("name", sorted(UNITS))
def test_without_containers_too_nobody_is_root_and_nothing_else_is_written(name: str):
    unit = UNITS[name]

    assert re.search("^User=(cargo|postgres)$", unit, re.MULTILINE)
    assert {"NoNewPrivileges=yes", "PrivateTmp=yes", "ProtectSystem=strict"} <= set(unit.splitlines())
    assert "Type=oneshot" in unit or "Restart=always" in unit
    if "ts_air_cargo worker" in unit:
        stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
        assert stop
        assert int(stop[1]) > settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT


def test_flower_asks_for_a_password():
    assert SERVICES["flower"]["environment"]["FLOWER_BASIC_AUTH"].startswith("${FLOWER_BASIC_AUTH:?")


def test_the_files_that_are_mounted_are_there():
    mounts = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    ours = {mount for mount in mounts if mount.startswith("./")}

    assert ours == {"./ops", "./ops/Caddyfile"}
    assert all((ROOT / mount).exists() for mount in ours)
    assert mounts - ours <= set(yaml.safe_load(COMPOSE.read_text())["volumes"])
