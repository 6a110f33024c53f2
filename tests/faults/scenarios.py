"""What is done to the system, and what may come of it: one entry per scenario."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.faults import disturbances
from tests.faults.orders import DIE, FREEZE, Step, Way
from tests.faults.system import System
from whatsapp_monitoring_app.sandbox import Hostility, hostility


@dataclass(frozen=True)
class Scenario:
    """Workers are struck at `step` on each of these `ways`.

    `may_double`: no receipt can tell what became of a call, so notices are sent again and may arrive
    twice.
    """

    code: str
    summary: str
    step: Step | None = None
    ways: tuple[Way, ...] = tuple(Way)
    deed: int = DIE
    most_strikes: int = 12
    disturbance: Callable[[System], AbstractContextManager[None]] = disturbances.nothing
    hostility: Hostility = hostility.PEACE
    workers: int = 3
    tickers: int = 1
    beats: int = 0
    may_double: bool = False

    @property
    def strikes(self) -> bool:
        """Whether something is struck, or refused, that can be counted."""
        is_disturbed = self.disturbance is not disturbances.nothing
        return bool(self.step or is_disturbed or self.hostility.mishaps)


KILLS = tuple(Scenario(f"kill_{step.name.lower()}", f"Worker killed {step}", step=step) for step in Step)

DISTURBANCES = (
    Scenario(
        "random_kills",
        "A random worker killed every second; recovery by celery beat",
        disturbance=disturbances.workers_killed,
        tickers=0,
        beats=1,
    ),
    Scenario(
        "frozen_workers",
        "Worker frozen after the claim, awake again long after its lease",
        step=Step.AFTER_CLAIM,
        deed=FREEZE,
        most_strikes=1,
        disturbance=disturbances.workers_frozen,
    ),
    Scenario("two_recoveries", "Two beats and two recoveries at once, six workers", workers=6, tickers=2, beats=2),
    Scenario("valkey_flushed", "Valkey flushed in the middle", disturbance=disturbances.valkey_flushed),
    Scenario("valkey_restarted", "Valkey killed and restarted empty", disturbance=disturbances.valkey_restarted),
    Scenario(
        "valkey_away",
        "Valkey away while messages are owed and receipts come in; connections dropped after acceptance",
        disturbance=disturbances.valkey_away,
        hostility=Hostility(mishaps=(hostility.DROPPED_AFTER,), every=3, receipt_delay=1),
    ),
    Scenario("postgres_killed", "PostgreSQL killed, back after 2 s", disturbance=disturbances.postgres_killed),
    Scenario("web_away", "Web server away: every webhook comes late", disturbance=disturbances.web_away),
)

AMID_A_GROUP = (
    Scenario(
        "postgres_restarted_among_answers",
        "PostgreSQL stopped while a group of answers is in hand, started again at once",
        step=Step.AFTER_ANSWER,
        ways=(Way.TOGETHER,),
        deed=FREEZE,
        most_strikes=1,
        disturbance=disturbances.postgres_restarted_among_answers,
        hostility=Hostility(answer_delay=0.3),
    ),
    Scenario(
        "valkey_away_amid_a_group",
        "Valkey away for 2 s while a group leaves",
        step=Step.BEFORE_REQUEST,
        ways=(Way.TOGETHER,),
        deed=FREEZE,
        most_strikes=1,
        disturbance=disturbances.valkey_away_amid_a_group,
    ),
    Scenario(
        "provider_killed_amid_a_group",
        "Provider killed while a group leaves: every connection reset, none taken for 1 s",
        disturbance=disturbances.provider_killed_amid_a_group,
        hostility=Hostility(answer_delay=0.5),
    ),
    Scenario(
        "provider_hangs_amid_a_group",
        "Provider hangs while a group leaves, for longer than the read time-out",
        disturbance=disturbances.provider_hangs_amid_a_group,
        hostility=Hostility(answer_delay=0.5),
    ),
)

PROVIDER = (
    Scenario(
        "dropped_after",
        "Provider accepts, then drops the connection",
        hostility=Hostility(mishaps=(hostility.DROPPED_AFTER,), every=3),
    ),
    Scenario(
        "late_answers",
        "Provider accepts, and answers after the read time-out",
        hostility=Hostility(mishaps=(hostility.LATE,), every=3),
    ),
    Scenario(
        "nonsense",
        "Provider answers 500 empty, 500 garbage, 502 text, 200 without id",
        hostility=Hostility(
            mishaps=(
                hostility.SERVER_FAILURE,
                hostility.GARBAGE,
                hostility.BAD_GATEWAY,
                hostility.WITHOUT_ID,
            ),
            every=3,
        ),
    ),
    Scenario(
        "throttled",
        "Provider answers 429 with Retry-After",
        hostility=Hostility(mishaps=(hostility.THROTTLED,), every=8),
    ),
    Scenario(
        "receipts_disordered",
        "Receipts twice, out of order, before the answer",
        hostility=Hostility(answer_delay=0.5, receipt_copies=2, shuffles_receipts=True),
    ),
    Scenario(
        "receipts_disordered_and_dropped",
        "The same, and connections dropped after acceptance",
        hostility=Hostility(mishaps=(hostility.DROPPED_AFTER,), every=3, receipt_copies=2, shuffles_receipts=True),
    ),
    Scenario(
        "receipts_off",
        "Receipts switched off, connections dropped after acceptance",
        hostility=Hostility(mishaps=(hostility.DROPPED_AFTER,), every=5, sends_receipts=False),
        may_double=True,
    ),
    Scenario(
        "receipts_off_kills",
        "Receipts switched off, worker killed after acceptance",
        step=Step.BEFORE_READING,
        hostility=Hostility(sends_receipts=False),
        may_double=True,
    ),
)

SCENARIOS = (Scenario("peace", "No fault"), *KILLS, *DISTURBANCES, *AMID_A_GROUP, *PROVIDER)
