"""Part: signed receipts posted to a real web server, until the last of them has taken effect."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import requests

from benchmarks import rows
from benchmarks.environment import APP_SECRET, Environment, free_port
from benchmarks.figures import Figure, at_least
from benchmarks.machine import Meter
from benchmarks.ours import System
from benchmarks.processes import Child, wait_until

KINDS = ("sent", "delivered", "read")
CLIENTS = 4
WEB = "gunicorn ts_air_cargo.wsgi --bind 127.0.0.1:{port} --worker-class gthread --workers 2 --threads 8"
PATH = "/webhooks/whatsapp/cloud/"
STALL_SECONDS = 120
LOGS = "whatsapp_monitoring_app_whatsappwebhooklog"
# As many receipts as were told, and every message read.
APPLIED = f"""
SELECT (SELECT count(*) FROM {rows.NOTIFICATIONS} WHERE status = 'read'),
       (SELECT count(*) FROM {LOGS} WHERE processed_at IS NULL)
"""  # noqa: S608 - constants of ours
KEPT = "SELECT count(*), count(*) FILTER (WHERE applied_at IS NOT NULL) FROM whatsapp_monitoring_app_whatsappreceipt"


class Site:
    """A web server and workers of ours, and messages that were sent and wait for their receipts."""

    def __init__(self, environment: Environment, stack: ExitStack) -> None:
        environment.valkey.flush()
        self.environment = environment
        self.system = System(environment, "webhooks")
        self.system.start("", stack)
        self.system.caller.ask("leave_a_sample")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}{PATH}"
        self.web: Child = stack.enter_context(environment.child("web", WEB.format(port=port), self.system.variables))
        self.messages = 0
        wait_until(self._answers, [self.web])

    def _answers(self) -> bool:
        try:
            return requests.get(self.url, headers={"X-Forwarded-Proto": "https"}, timeout=10).status_code == 403
        except requests.ConnectionError:
            return False

    def add_messages(self, count: int) -> range:
        """So many more messages; their numbers."""
        numbers = range(self.messages, self.messages + count)
        self.messages += count
        with psycopg.connect(self.system.url, autocommit=True) as connection:
            for table, changes in SAMPLED.items():
                rows.take_samples(connection, table, 1)
                rows.multiply(connection, table, numbers, changes)
            connection.execute("ANALYZE")  # as autovacuum does
        return numbers

    def apply(self, bodies: Sequence[bytes]) -> tuple[float, dict[str, float]]:
        """Post them all, and wait until nothing is left to be applied; seconds, and processor seconds."""
        roots = [child.pid for child in (*self.system.children, self.web)]
        meter = Meter({"application": roots, **self.environment.servers})
        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            for answer in pool.map(self._post_all, [bodies[number::CLIENTS] for number in range(CLIENTS)]):
                assert answer, "a payload was refused"
        self._wait()
        return time.perf_counter() - started, meter.read()

    def _post_all(self, bodies: Sequence[bytes]) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            return all(session.post(self.url, data=body, headers=_signed(body), timeout=60).ok for body in bodies)

    def _wait(self) -> None:
        seen, seen_at = None, time.monotonic()
        while (now := self.environment.query(self.system.url, APPLIED)[0]) != (self.messages, 0):
            self.system.check()
            if now != seen:
                seen, seen_at = now, time.monotonic()
            elif time.monotonic() - seen_at > STALL_SECONDS:
                raise AssertionError(f"{now[0]} of {self.messages} messages read, {now[1]} payloads left; no progress")
            time.sleep(0.05)

    def check(self) -> None:
        """Every receipt was kept once, and took effect."""
        [found] = self.environment.query(self.system.url, KEPT)
        expected = self.messages * len(KINDS)
        if found != (expected, expected):
            raise AssertionError(f"{expected} receipts told, {found[0]} kept, {found[1]} applied")


SAMPLED = {
    rows.NOTIFICATIONS: {
        "code": rows.CODE,
        "phone_number": rows.TELEPHONE,
        "provider_message_id": "'wamid.benchmark.' || n",
    },
    rows.ATTEMPTS: {"notification_id": rows.CODE},
}


def run(environment: Environment) -> list[Figure]:
    """All rounds on one site, as in life: the tables are not empty."""
    biggest = max(size for size, _ in environment.sizes.webhooks)
    with ExitStack() as stack:
        site = Site(environment, stack)
        figures = []
        for size, count in environment.sizes.webhooks:
            taken = [_measure(site, size, count) for _ in range(environment.sizes.rounds)]
            figures += _figures(size, count, taken, is_judged=size == biggest)
        site.check()
    environment.drop_database("webhooks")
    return figures


def _measure(site: Site, size: int, count: int) -> tuple[float, dict[str, float]]:
    numbers = site.add_messages(count // len(KINDS))
    seconds, work = site.apply(list(_payloads(numbers, size)))
    site.environment.say(f"webhooks of {size:,}: {count / seconds:,.0f} statuses/s")
    return seconds, work


def _figures(size: int, count: int, taken: list[tuple[float, dict[str, float]]], *, is_judged: bool) -> list[Figure]:
    row = f"{size:,} in a payload, {count:,} statuses"
    rates = tuple(count / seconds for seconds, _ in taken)
    return [
        Figure(
            row,
            "statuses/s",
            rates,
            at_least(3_000) if is_judged else None,
            f"webhook statuses applied, {size:,} in a payload: statuses/s",
        ),
        *(
            Figure(row, f"processor ms per status: {family}", tuple(work[family] / count * 1000 for _, work in taken))
            for family in taken[0][1]
        ),
    ]


def _payloads(numbers: Sequence[int], size: int) -> Iterator[bytes]:
    """All receipts of these messages as Meta posts them: first every “sent”, then the others."""
    at = int(time.time()) - 30
    statuses = [_status(number, kind, at + later) for later, kind in enumerate(KINDS) for number in numbers]
    for start in range(0, len(statuses), size):
        yield json.dumps(_envelope(statuses[start : start + size])).encode()


def _envelope(statuses: list[dict[str, str]]) -> dict[str, object]:
    metadata = {"display_phone_number": "22320000000", "phone_number_id": rows.ACCOUNT}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": statuses}
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def _status(number: int, kind: str, at: int) -> dict[str, str]:
    digest = hashlib.md5(f"benchmark{number}".encode(), usedforsecurity=False).hexdigest()
    return {
        "id": f"wamid.benchmark.{number}",
        "status": kind,
        "timestamp": str(at),
        "recipient_id": f"223{rows.FIRST_NUMBER + number}",
        "biz_opaque_callback_data": str(uuid.UUID(digest)),
    }


def _signed(body: bytes) -> dict[str, str]:
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-Forwarded-Proto": "https",
    }
