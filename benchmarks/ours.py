"""Our way of sending, through its public doors: the bulk, and one task per message."""

from contextlib import ExitStack
from typing import Protocol

from benchmarks import rows
from benchmarks.contenders import Lost
from benchmarks.environment import Environment, Provider
from benchmarks.processes import Child, Helper, wait_until

RECORDED = f"""
SELECT count(*) FROM {rows.NOTIFICATIONS} AS owed
JOIN {rows.ATTEMPTS} AS attempt ON attempt.notification_id = owed.code
WHERE owed.status = 'sent' AND owed.provider_message_id IS NOT NULL AND attempt.outcome = 'accepted'
"""  # noqa: S608 - constants of ours
FINISHED = f"SELECT count(*) FROM {rows.ATTEMPTS}"  # noqa: S608 - a constant of ours
# Every message once: as many rows, attempts and different ids of the provider.
DOUBLED = f"""
SELECT (SELECT count(*) FROM {rows.ATTEMPTS}) - count(DISTINCT provider_message_id), count(*) FROM {rows.NOTIFICATIONS}
"""  # noqa: S608 - constants of ours
WORKER = "celery -A ts_air_cargo worker -l warning -n worker{number}@benchmarks"
BEAT = "celery -A ts_air_cargo beat -l warning --pidfile= "


class System:
    """Workers, beat, and a process of ours that takes orders, on a database of its own."""

    def __init__(self, environment: Environment, database: str = "ours") -> None:
        self.environment = environment
        self.database = database

    def start(self, provider_url: str, stack: ExitStack) -> None:
        environment = self.environment
        self.url = environment.fresh_database(self.database)
        rows.open_senders(self.url)
        self.variables = environment.variables(self.url, provider_url)
        self.workers = [
            stack.enter_context(environment.child(f"worker{number}", WORKER.format(number=number), self.variables))
            for number in range(environment.sizes.workers)
        ]
        self.beat = stack.enter_context(environment.child("beat", BEAT, self.variables))
        self.caller: Helper = stack.enter_context(environment.helper("ours", self.variables))
        stack.callback(self._tell_all_to_end)
        wait_until(self._is_up, self.children)

    def _tell_all_to_end(self) -> None:
        for child in self.children:
            child.tell_to_end()

    def _is_up(self) -> bool:
        """Whether every worker answers, and beat has written its schedule."""
        [(scheduled,)] = self.environment.query(self.url, "SELECT count(*) FROM django_celery_beat_periodictask")
        return bool(scheduled) and self.caller.ask("count_workers", len(self.workers)) == len(self.workers)

    def check(self) -> None:
        """Raises processes.Died."""
        for child in self.children:
            child.check()

    @property
    def children(self) -> list[Child]:
        return [*self.workers, self.beat, self.caller]


class Door(Protocol):
    """How messages are owed to the people of these numbers, and let go."""

    name: str

    def prepare(self, caller: Helper, first: int, count: int) -> None: ...

    def go(self, caller: Helper, first: int, count: int) -> None: ...


class Bulk:
    """`send_bulk_whatsapp_async`, one call for all; the clock runs while it writes the rows."""

    name = "ours"

    def prepare(self, caller: Helper, first: int, count: int) -> None:
        """Nothing can be ready: the call itself belongs to what is measured."""

    def go(self, caller: Helper, first: int, count: int) -> None:
        caller.ask("owe_bulk", first, count)


class Single:
    """`send_whatsapp_async`, a task per message: owed while the workers look away, then let go together."""

    name = "ours, one task per message"

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def prepare(self, caller: Helper, first: int, count: int) -> None:
        caller.ask("pause_singles", self.workers)
        caller.ask("owe_singles", first, count)

    def go(self, caller: Helper, first: int, count: int) -> None:
        caller.ask("resume_singles", self.workers)


class Ours:
    """A contender."""

    def __init__(self, environment: Environment, door: Door) -> None:
        self.name = door.name
        self.door = door
        self.system = System(environment)
        self.people = 0
        self.prepared = 0

    def start(self, provider: Provider, stack: ExitStack) -> None:
        self.system.start(provider.url, stack)

    def prepare(self, count: int) -> None:
        self.people, self.prepared = self.people + self.prepared, count
        rows.add_people(self.system.url, self.people, count)
        self.door.prepare(self.system.caller, self.people, count)

    def go(self) -> None:
        self.door.go(self.system.caller, self.people, self.prepared)

    def finished(self) -> int:
        return int(self.system.environment.query(self.system.url, FINISHED)[0][0])

    def recorded(self) -> int:
        return int(self.system.environment.query(self.system.url, RECORDED)[0][0])

    def check(self) -> None:
        self.system.check()

    def verify(self) -> None:
        [(doubled, owed)] = self.system.environment.query(self.system.url, DOUBLED)
        if doubled > 0:
            raise Lost(f"{doubled} of {owed} messages were tried more than once")

    @property
    def processes(self) -> list[int]:
        return [child.pid for child in self.system.children]
