"""A provider on a bad day: what goes wrong with requests from ordinary numbers, and with receipts.

Mishaps are behaviours, met in turn by each n-th request.
"""

from dataclasses import dataclass

from whatsapp_monitoring_app.sandbox import errors
from whatsapp_monitoring_app.sandbox.behaviours import NORMAL, Answer, Behaviour

DROPPED_AFTER = Behaviour("Accepted, the connection is closed before the answer.", answer=Answer.NEVER)
LATE = Behaviour("Accepted, the answer comes when nobody waits for it any more.", answer=Answer.LATE)
WITHOUT_ID = Behaviour("Accepted, HTTP 200 without a message id.", answer=Answer.WITHOUT_ID)
GARBAGE = Behaviour("Accepted, HTTP 500 with a page of HTML.", answer=Answer.GARBAGE)
BAD_GATEWAY = Behaviour("Accepted, HTTP 502 with a line of text.", answer=Answer.BAD_GATEWAY)
SERVER_FAILURE = Behaviour("Not accepted, HTTP 500 with an empty body.", refusal=errors.SERVER_FAILURE)
THROTTLED = Behaviour("Not accepted, HTTP 429 with Retry-After.", refusal=errors.TOO_MANY_REQUESTS)


@dataclass(frozen=True)
class Hostility:
    """How hostile the sandbox is.

    Each `every`-th request meets the next of the `mishaps`. `answer_delay` lets receipts overtake the answer of the
    request that they are about, `receipt_delay` comes before the first of them; both in seconds.
    """

    mishaps: tuple[Behaviour, ...] = ()
    every: int = 1
    answer_delay: float = 0.0
    receipt_delay: float = 0.0
    sends_receipts: bool = True
    receipt_copies: int = 1
    shuffles_receipts: bool = False


PEACE = Hostility()


class BadDay:
    """Hands out the mishaps, one after the other."""

    def __init__(self, hostility: Hostility) -> None:
        self.hostility = hostility
        self.request_count = 0

    def disturb(self, behaviour: Behaviour) -> Behaviour:
        """The behaviour that the request meets. The magic numbers keep theirs."""
        mishaps, every = self.hostility.mishaps, self.hostility.every
        if behaviour is not NORMAL or not mishaps:
            return behaviour
        self.request_count += 1
        turn, rest = divmod(self.request_count, every)
        return behaviour if rest else mishaps[turn % len(mishaps)]
