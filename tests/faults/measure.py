"""Running one scenario, and counting what came of it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from tests.faults.scenarios import Scenario
from tests.faults.system import System
from tests.waiting import eventually

LEAST_BETWEEN_STRIKES = 8  # messages
# What has not moved for so long does not move any more; shorter when every message has been read.
QUIET_SECONDS, READ_QUIET_SECONDS = 4.0, 1.0
REST_SECONDS = 120
ASKS = "account_creation"

STATE = """
    SELECT n.code::text, n.status, n.message_type, n.error_class,
        n.status = 'unconfirmed' AND n.confirm_by > now(),
        (SELECT outcome FROM whatsapp_monitoring_app_whatsappattempt a
         WHERE a.notification_id = n.code ORDER BY number DESC LIMIT 1),
        (SELECT count(*) FROM whatsapp_monitoring_app_whatsappattempt a
         WHERE a.notification_id = n.code AND a.outcome <> 'accepted')
    FROM whatsapp_monitoring_app_whatsappnotification n
"""
UNREAD = "SELECT count(*) FROM whatsapp_monitoring_app_whatsappwebhooklog WHERE processed_at IS NULL"


@dataclass(frozen=True)
class Row:
    """One notification as the database has it."""

    code: str
    status: str
    message_type: str
    error_class: str
    may_still_be_confirmed: bool
    last_outcome: str | None
    troubled_count: int

    @property
    def waits_for_a_person(self) -> bool:
        return self.status == "unconfirmed" and self.message_type == ASKS and not self.may_still_be_confirmed

    @property
    def has_failed(self) -> bool:
        return self.status in ("failed", "cancelled") and bool(self.error_class)

    @property
    def is_on_its_way(self) -> bool:
        if self.status == "unconfirmed":
            return not self.waits_for_a_person
        return self.status in ("pending", "sending", "retry_scheduled")

    @property
    def is_settled_by_receipt(self) -> bool:
        return self.status in ("sent", "delivered", "read") and self.last_outcome == "uncertain"


@dataclass(frozen=True)
class Result:
    """What came of the messages of one scenario. `doubled_asking` counts the doubles that no policy allows."""

    summary: str
    owed: int
    once: int
    lost: int
    doubled: int
    doubled_asking: int
    settled: int
    waits_for_a_person: int
    failed: int
    on_their_way: int
    faults: int
    seconds: float
    may_double: bool

    @property
    def keeps_the_promise(self) -> bool:
        doubled = self.doubled_asking if self.may_double else self.doubled
        return not (self.lost or doubled or self.on_their_way)


def run(system: System, scenario: Scenario, count: int) -> Result:
    """Owe `count` messages under the scenario, let the system come to rest, and count."""
    system.orders.cancel()
    system.staff(scenario.workers, scenario.tickers, scenario.beats)
    with system.scenario(scenario.code, scenario.hostility):
        if scenario.step:
            most = min(count // LEAST_BETWEEN_STRIKES, scenario.most_strikes)
            system.orders.give(scenario.step, every=count // (most + 1), most=most, deed=scenario.deed)
        started_at = time.monotonic()
        system.post(count // 2)
        system.wait_for_accepted(1)
        with scenario.disturbance(system):
            system.post(count - count // 2)
        come_to_rest(system, count)
        return count_up(system, scenario, time.monotonic() - started_at)


def come_to_rest(system: System, count: int) -> None:
    """Wait until nothing is on its way and every payload is read; at most some minutes."""
    is_at_rest = _watcher(system)
    try:
        eventually(is_at_rest, "the system rests", seconds=REST_SECONDS + count / 5)
    except AssertionError:
        return  # the count shows what is still on its way


def _watcher(system: System) -> Callable[[], bool]:
    seen: Counter[str] = Counter()
    seen_since = time.monotonic()

    def is_at_rest() -> bool:
        nonlocal seen, seen_since
        try:
            rows, [[unread]] = state(system), system.query(UNREAD)
        except psycopg.Error:
            return False
        now = Counter(row.status for row in rows) + Counter(accepted=len(system.accepted()))
        if now != seen:
            seen, seen_since = now, time.monotonic()
        if unread or any(row.is_on_its_way for row in rows):
            return False
        quiet = QUIET_SECONDS if now["sent"] + now["delivered"] else READ_QUIET_SECONDS
        return time.monotonic() - seen_since > quiet

    return is_at_rest


def state(system: System) -> list[Row]:
    return [Row(*columns) for columns in system.query(STATE)]


def count_up(system: System, scenario: Scenario, seconds: float) -> Result:
    rows = {row.code: row for row in state(system)}
    times = Counter(str(message["tracking"]) for message in system.accepted())
    owed = set(system.codes)
    doubled = [code for code in owed if times[code] > 1]
    never = [code for code in owed if not times[code]]
    excused = [
        code
        for code in never
        if code in rows and (rows[code].is_on_its_way or rows[code].waits_for_a_person or rows[code].has_failed)
    ]
    struck = len(system.orders.victims()) if scenario.step else 0
    troubled = sum(row.troubled_count for row in rows.values()) if scenario.hostility.mishaps else 0
    return Result(
        summary=scenario.summary,
        owed=len(owed),
        once=sum(times[code] == 1 for code in owed),
        lost=len(never) - len(excused),
        doubled=len(doubled),
        doubled_asking=sum(rows[code].message_type == ASKS for code in doubled),
        settled=sum(row.is_settled_by_receipt for row in rows.values()),
        waits_for_a_person=sum(row.waits_for_a_person for row in rows.values()),
        failed=sum(row.has_failed for row in rows.values()),
        on_their_way=sum(row.is_on_its_way for row in rows.values()),
        faults=system.interruptions + struck + troubled,
        seconds=seconds,
        may_double=scenario.may_double,
    )
