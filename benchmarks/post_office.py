"""The contender django-post_office, tuned: 2 processes × 32 threads, batches of 2,000, connections kept open."""

from contextlib import ExitStack

from benchmarks.contenders import Lost
from benchmarks.environment import RIVALS, Environment, Provider
from benchmarks.processes import Helper

# 0 is post_office's word for sent; it logs each success.
RECORDED = """
SELECT count(*) FROM post_office_email AS email JOIN post_office_log AS log ON log.email_id = email.id
WHERE email.status = 0 AND log.status = 0
"""
# It logs the mails of a batch after it has marked them as sent.
FINISHED = "SELECT count(*) FROM post_office_log"
DOUBLED = "SELECT count(*) - count(DISTINCT email_id) FROM post_office_log"


class PostOffice:
    """The mails are written before the clock runs; then the sender of the management command sends them."""

    name = "django-post_office"

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.written = 0
        self.is_sending = False

    def start(self, provider: Provider, stack: ExitStack) -> None:
        self.url = self.environment.fresh_database("post_office", RIVALS)
        variables = self.environment.variables(self.url, provider.url, RIVALS)
        self.sender: Helper = stack.enter_context(self.environment.helper("post_office", variables))

    def prepare(self, count: int) -> None:
        if self.is_sending:
            self.sender.answer()
        self.sender.ask("write", self.written, count)
        self.written += count
        self.environment.query(self.url, "ANALYZE")  # as autovacuum does

    def go(self) -> None:
        self.is_sending = True
        self.sender.tell("send")

    def finished(self) -> int:
        return int(self.environment.query(self.url, FINISHED)[0][0])

    def recorded(self) -> int:
        return int(self.environment.query(self.url, RECORDED)[0][0])

    def check(self) -> None:
        self.sender.check()

    def verify(self) -> None:
        [(doubled,)] = self.environment.query(self.url, DOUBLED)
        if doubled:
            raise Lost(f"{doubled} mails were sent more than once")

    @property
    def processes(self) -> list[int]:
        return [self.sender.pid]
