"""The magic numbers: phones that always behave in one particular way. Every other phone behaves normally."""

from dataclasses import dataclass
from enum import Enum

from whatsapp_monitoring_app.sandbox import errors
from whatsapp_monitoring_app.sandbox.errors import CloudError


class Answer(Enum):
    """What the sender hears once the message is accepted."""

    COMPLETE = "complete"
    WITHOUT_ID = "without id"
    LATE = "late"
    GARBAGE = "garbage"
    BAD_GATEWAY = "bad gateway"
    NEVER = "never"


@dataclass(frozen=True)
class Behaviour:
    """How a phone treats a message: the refusals come first, then the answer, then the receipts."""

    summary: str
    refusal: CloudError | None = None
    refusal_count: int | None = None
    answer: Answer = Answer.COMPLETE
    receipts: tuple[str, ...] = ("sent", "delivered", "read")
    failure: CloudError | None = None

    def refuses_after(self, refused_count: int) -> bool:
        """Whether a message that was refused so many times is refused again. No count means for ever."""
        if self.refusal is None:
            return False
        return self.refusal_count is None or refused_count < self.refusal_count


NORMAL = Behaviour("Accepted, sent, delivered, read.")

MAGIC_NUMBERS = {
    "22370000001": Behaviour("Not on WhatsApp: refused with 131026.", refusal=errors.NOT_ON_WHATSAPP),
    "22370000002": Behaviour("Customer service window closed: refused with 131047.", refusal=errors.WINDOW_CLOSED),
    "22370000003": Behaviour(
        "Rate limited: each message is refused twice with 130429, then accepted.",
        refusal=errors.RATE_LIMITED,
        refusal_count=2,
    ),
    "22370000004": Behaviour("Switched off: accepted and sent, never delivered.", receipts=("sent",)),
    "22370000005": Behaviour("Time-out: accepted, receipts follow, the answer comes late.", answer=Answer.LATE),
    "22370000006": Behaviour("HTTP 500 with an empty body, not accepted.", refusal=errors.SERVER_FAILURE),
    "22370000007": Behaviour("Token expired: HTTP 401 with 190.", refusal=errors.TOKEN_EXPIRED),
    "22370000008": Behaviour(
        "Accepted, then failed with 131026 by webhook.", receipts=("failed",), failure=errors.NOT_ON_WHATSAPP
    ),
    "22370000009": Behaviour("Delivered, never read.", receipts=("sent", "delivered")),
    "22370000010": Behaviour("Read at once: no delivered receipt.", receipts=("sent", "read")),
    "22370000011": Behaviour(
        "Accepted, receipts follow, the connection is closed before the answer.", answer=Answer.NEVER
    ),
    "22370000012": Behaviour(
        "Pair rate limit: each message is refused once with 131056, then accepted.",
        refusal=errors.PAIR_RATE_LIMITED,
        refusal_count=1,
    ),
    "22370000013": Behaviour("Accepted, receipts follow, HTTP 200 without a message id.", answer=Answer.WITHOUT_ID),
}


def behaviour_of(digits: str) -> Behaviour:
    return MAGIC_NUMBERS.get(digits, NORMAL)
