"""The contender that is written first: one prefork task per message, a new connection for each call, several saves."""

from contextlib import ExitStack

from benchmarks.contenders import Lost
from benchmarks.environment import RIVALS, Environment, Provider
from benchmarks.processes import Child, Helper, wait_until

RECORDED = """
SELECT count(*) FROM rivals_message AS message JOIN rivals_attempt AS attempt ON attempt.message_id = message.id
WHERE message.status = 'sent' AND message.provider_message_id <> ''
"""
FINISHED = "SELECT count(*) FROM rivals_message WHERE status = 'sent'"
DOUBLED = "SELECT (SELECT count(*) FROM rivals_attempt) - count(DISTINCT provider_message_id) FROM rivals_message"


class Naive:
    """The rows are written before the clock runs; then their tasks are published."""

    name = "naive"

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.written = 0

    def start(self, provider: Provider, stack: ExitStack) -> None:
        self.url = self.environment.fresh_database("naive", RIVALS)
        variables = self.environment.variables(self.url, provider.url, RIVALS)
        command = "celery -A benchmarks.rivals.celery worker -l warning"
        self.worker: Child = stack.enter_context(self.environment.child("naive_worker", command, variables))
        self.caller: Helper = stack.enter_context(self.environment.helper("naive", variables))
        wait_until(lambda: bool(self.caller.ask("is_up")), [self.worker, self.caller])

    def prepare(self, count: int) -> None:
        self.caller.ask("write", self.written, count)
        self.written += count

    def go(self) -> None:
        self.caller.ask("publish")

    def finished(self) -> int:
        return int(self.environment.query(self.url, FINISHED)[0][0])

    def recorded(self) -> int:
        return int(self.environment.query(self.url, RECORDED)[0][0])

    def check(self) -> None:
        self.worker.check()
        self.caller.check()

    def verify(self) -> None:
        [(doubled,)] = self.environment.query(self.url, DOUBLED)
        if doubled:
            raise Lost(f"{doubled} messages were sent more than once")

    @property
    def processes(self) -> list[int]:
        return [self.worker.pid, self.caller.pid]
