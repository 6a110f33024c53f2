"""Running one scenario, and counting what came of it."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from tests.faults.orders import DIE, Turn, Way
from tests.faults.scenarios import Scenario
from tests.faults.system import System
from tests.waiting import eventually

# One message in four is owed alone; whoever dies with a group in hand holds many.
ALONE_AMONG = 4
LEAST_PER_STRIKE = {Way.ALONE: 8, Way.TOGETHER: 24}  # messages
# What has not moved for so long does not move any more; shorter when every message has been read.
QUIET_SECONDS, READ_QUIET_SECONDS = 4.0, 1.0
REST_SECONDS = 120
ASKS = "account_creation"

STATE = """
    SELECT n.code::text, n.idempotency_key, n.status, n.message_type, n.error_class,
        n.status = 'unconfirmed' AND n.confirm_by > now(),
        (SELECT outcome FROM whatsapp_monitoring_app_whatsappattempt a
         WHERE a.notification_id = n.code ORDER BY number DESC LIMIT 1),
        (SELECT count(*) FROM whatsapp_monitoring_app_whatsappattempt a
         WHERE a.notification_id = n.code AND a.outcome = 'uncertain'),
        (SELECT count(*) FROM whatsapp_monitoring_app_whatsappattempt a
         WHERE a.notification_id = n.code AND a.outcome = 'refused')
    FROM whatsapp_monitoring_app_whatsappnotification n
"""
UNREAD = "SELECT count(*) FROM whatsapp_monitoring_app_whatsappwebhooklog WHERE processed_at IS NULL"
UNWRITTEN = "SELECT count(*) FROM whatsapp_monitoring_app_whatsappbulk WHERE finished_at IS NULL"


@dataclass(frozen=True)
class Row:
    """One notification as the database has it."""

    code: str
    key: str
    status: str
    message_type: str
    error_class: str
    may_still_be_confirmed: bool
    last_outcome: str | None
    in_doubt_count: int
    refused_count: int

    @property
    def way(self) -> Way:
        return Way.TOGETHER if self.key.startswith("bulk:") else Way.ALONE

    @property
    def is_known_to_be_sent(self) -> bool:
        return self.status in ("sent", "delivered", "read")

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
        return self.is_known_to_be_sent and self.last_outcome == "uncertain"


@dataclass(frozen=True)
class Result:
    """What came of the messages of one scenario that were owed in one way.

    `in_doubt` counts the calls without a clear answer, those of dead workers among them; `doubled_asking` the doubles
    that no policy allows; `misjudged` what the provider took and we believe to have failed.
    """

    summary: str
    way: Way
    faults: int
    owed: int
    once: int
    lost: int
    doubled: int
    doubled_asking: int
    in_doubt: int
    settled: int
    waits_for_a_person: int
    failed: int
    misjudged: int
    on_their_way: int
    seconds: float
    may_double: bool
    is_kill: bool

    @property
    def keeps_the_promise(self) -> bool:
        doubled = self.doubled_asking if self.may_double else self.doubled
        return not (self.lost or doubled or self.misjudged or self.on_their_way)


def run(system: System, scenario: Scenario, count: int) -> list[Result]:
    """Owe `count` messages under the scenario, let the system come to rest, and count; a result for each way."""
    counts = {Way.ALONE: count // ALONE_AMONG, Way.TOGETHER: count - count // ALONE_AMONG}
    system.orders.cancel()
    system.staff(scenario.workers, scenario.tickers, scenario.beats)
    with system.scenario(scenario.code, scenario.hostility):
        if scenario.step:
            turns = {way: _turn(counts[way], way, scenario) for way in scenario.ways}
            system.orders.give(scenario.step, turns, scenario.deed)
        started_at = time.monotonic()
        _post(system, {way: each // 2 for way, each in counts.items()})
        system.wait_for_accepted(1)
        with scenario.disturbance(system):
            _post(system, {way: each - each // 2 for way, each in counts.items()})
        come_to_rest(system, count)
        return count_up(system, scenario, time.monotonic() - started_at)


def _post(system: System, counts: dict[Way, int]) -> None:
    for way, count in counts.items():
        system.post(way, count)


def _turn(count: int, way: Way, scenario: Scenario) -> Turn:
    """So many strikes that there is work between them, the first one early."""
    most = max(1, min(count // LEAST_PER_STRIKE[way], scenario.most_strikes))
    return Turn(every=max(1, count // (2 * most + 1)), most=most)


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
            rows, [[unread]], [[unwritten]] = state(system), system.query(UNREAD), system.query(UNWRITTEN)
        except psycopg.Error:
            return False
        now = Counter(row.status for row in rows) + Counter(accepted=len(system.accepted()))
        if now != seen:
            seen, seen_since = now, time.monotonic()
        if unread or unwritten or any(row.is_on_its_way for row in rows):
            return False
        quiet = QUIET_SECONDS if now["sent"] + now["delivered"] else READ_QUIET_SECONDS
        return time.monotonic() - seen_since > quiet

    return is_at_rest


def state(system: System) -> list[Row]:
    return [Row(*columns) for columns in system.query(STATE)]


def count_up(system: System, scenario: Scenario, seconds: float) -> list[Result]:
    rows = state(system)
    times = Counter(str(message["tracking"]) for message in system.accepted())
    return [_count(system, scenario, way, [row for row in rows if row.way is way], times, seconds) for way in Way]


def _count(
    system: System, scenario: Scenario, way: Way, rows: Sequence[Row], times: Counter[str], seconds: float
) -> Result:
    owed = set(system.owed[way])
    sent = [row for row in rows if times[row.code]]
    # A row that nobody has asked for is a message too many.
    doubled = [row for row in sent if times[row.code] > 1 or not owed & {row.code, row.key}]
    excused = [
        row for row in rows if row not in sent and (row.is_on_its_way or row.waits_for_a_person or row.has_failed)
    ]
    found = {name for row in (*sent, *excused) for name in (row.code, row.key)}
    struck = len(system.orders.victims(way)) if scenario.step else 0
    troubled = sum(row.in_doubt_count + row.refused_count for row in rows) if scenario.hostility.mishaps else 0
    return Result(
        summary=scenario.summary,
        way=way,
        faults=system.interruptions + struck + troubled,
        owed=len(owed),
        once=sum(times[row.code] == 1 for row in sent),
        lost=len(owed - found),
        doubled=len(doubled),
        doubled_asking=sum(row.message_type == ASKS for row in doubled),
        in_doubt=sum(row.in_doubt_count for row in rows),
        settled=sum(row.is_settled_by_receipt for row in rows),
        waits_for_a_person=sum(row.waits_for_a_person for row in rows),
        failed=sum(row.has_failed for row in rows),
        misjudged=sum(row.has_failed for row in sent),
        on_their_way=sum(row.is_on_its_way for row in rows),
        seconds=seconds,
        may_double=scenario.may_double,
        is_kill=bool(scenario.step) and scenario.deed == DIE,
    )
