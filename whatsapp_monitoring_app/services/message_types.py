"""What the kinds of message need: how long they stay useful, how often to try, what to do when nobody knows."""

import enum
from dataclasses import dataclass
from datetime import timedelta


class WhenUncertain(enum.Enum):
    """What becomes of a message that may or may not have been sent, and that no receipt settled in time."""

    RESEND = "resend"  # a second copy is a small nuisance
    ASK = "ask"  # a second copy would confuse or harm: a person decides


@dataclass(frozen=True)
class MessageType:
    max_age: timedelta = timedelta(days=3)
    max_attempts: int = 10  # three hours of the provider's own trouble; a dead connection costs no attempt
    when_uncertain: WhenUncertain = WhenUncertain.RESEND
    is_system: bool = False  # spoken by the company, not by an office
    is_essential: bool = False  # also sent to people who refuse messages
    has_stand_ins: bool = True  # another sender may speak when the message's own cannot
    is_worth_a_call: bool = True  # somebody of ours says it when no message can
    must_be_known: bool = False  # so also to those who do without messages
    is_urgent: bool = False  # leaves in the quiet hours too


NOTICE = MessageType()
ALERT = "alert"
MESSAGE_TYPES = {
    "account_creation": MessageType(
        max_age=timedelta(days=2), when_uncertain=WhenUncertain.ASK, is_system=True, is_essential=True, is_urgent=True
    ),
    "credentials": MessageType(
        max_age=timedelta(days=2), when_uncertain=WhenUncertain.ASK, is_system=True, is_essential=True, is_urgent=True
    ),
    "otp": MessageType(
        max_age=timedelta(minutes=10),
        max_attempts=5,
        when_uncertain=WhenUncertain.ASK,
        is_system=True,
        is_essential=True,
        is_urgent=True,
        is_worth_a_call=False,
    ),
    "payment": MessageType(when_uncertain=WhenUncertain.ASK, is_essential=True, is_urgent=True),
    # To administrators, who also get it by e-mail; old news of an incident is none.
    ALERT: MessageType(
        max_age=timedelta(hours=1), is_system=True, is_essential=True, is_urgent=True, is_worth_a_call=False
    ),
    "opt_out_confirmation": MessageType(
        max_age=timedelta(hours=1), is_essential=True, is_urgent=True, is_worth_a_call=False
    ),
    "delivery": MessageType(must_be_known=True),
    "delay": MessageType(must_be_known=True),
    # Tomorrow there is another one.
    "reminder": MessageType(max_age=timedelta(hours=20)),
    # An administrator tries one sender out, and waits for it.
    "sender_test": MessageType(
        max_age=timedelta(minutes=10),
        max_attempts=1,
        when_uncertain=WhenUncertain.ASK,
        is_essential=True,
        is_urgent=True,
        has_stand_ins=False,
        is_worth_a_call=False,
    ),
}
TYPES_WITHOUT_CALL = [code for code, kind in MESSAGE_TYPES.items() if not kind.is_worth_a_call]
TYPES_TO_BE_KNOWN = [code for code, kind in MESSAGE_TYPES.items() if kind.must_be_known]
ESSENTIAL_TYPES = [code for code, kind in MESSAGE_TYPES.items() if kind.is_essential]
SYSTEM_TYPES = [code for code, kind in MESSAGE_TYPES.items() if kind.is_system]
TYPES_THAT_ASK = [code for code, kind in MESSAGE_TYPES.items() if kind.when_uncertain is WhenUncertain.ASK]


def get(code: str) -> MessageType:
    """The rules of this type; a type that nobody described follows the rules of a notice."""
    return MESSAGE_TYPES.get(code, NOTICE)
