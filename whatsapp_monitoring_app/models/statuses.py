"""The states of a notification, and the only moves between them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    PENDING = "pending", _("Waiting")
    SENDING = "sending", _("Being sent")
    UNCONFIRMED = "unconfirmed", _("Result unknown")
    RETRY_SCHEDULED = "retry_scheduled", _("New attempt planned")
    SENT = "sent", _("Accepted by WhatsApp")
    DELIVERED = "delivered", _("Delivered")
    READ = "read", _("Read")
    FAILED = "failed", _("Failed for good")
    CANCELLED = "cancelled", _("Cancelled")


class CancelReason(models.TextChoices):
    """Why a message was not to go out any more."""

    SUPERSEDED = "superseded", _("A newer message says more")
    OPT_OUT = "opt_out", _("The person does not want messages")
    WRONG_NUMBER = "wrong_number", _("The number is somebody else’s")
    PERSON = "person", _("Cancelled by a person")


class InformedHow(models.TextChoices):
    """In which way somebody of ours told the person what the message could not."""

    PHONE = "phone", _("By telephone")
    IN_PERSON = "in_person", _("In person")


MOVES: dict[Status, frozenset[Status]] = {
    # Reached while it waits for a person's retry: an earlier attempt arrived after all.
    Status.PENDING: frozenset({Status.SENDING, Status.CANCELLED, Status.FAILED, Status.DELIVERED, Status.READ}),
    # Back to pending: given back, which costs no attempt.
    Status.SENDING: frozenset(
        {Status.SENT, Status.RETRY_SCHEDULED, Status.UNCONFIRMED, Status.FAILED, Status.PENDING}
    ),
    Status.UNCONFIRMED: frozenset({Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED, Status.RETRY_SCHEDULED}),
    # Reached while a retry waits: an earlier attempt arrived after all, and its receipt stops the double.
    Status.RETRY_SCHEDULED: frozenset(
        {Status.SENDING, Status.CANCELLED, Status.FAILED, Status.SENT, Status.DELIVERED, Status.READ}
    ),
    Status.SENT: frozenset({Status.DELIVERED, Status.READ, Status.FAILED, Status.RETRY_SCHEDULED}),
    Status.DELIVERED: frozenset({Status.READ}),
    Status.READ: frozenset(),
    # Back to pending: a person's decision, never the machine's. Reached: the client has it, whatever was said before.
    Status.FAILED: frozenset({Status.PENDING, Status.DELIVERED, Status.READ}),
    Status.CANCELLED: frozenset(),
}

# Waiting for their time (next_attempt_at) to be sent.
WAITING = frozenset({Status.PENDING, Status.RETRY_SCHEDULED})
# The provider has not taken them yet, for all that we know.
ON_THE_WAY = WAITING | {Status.SENDING}
# Nothing but a person's retry moves these any more.
FINAL = frozenset({Status.READ, Status.FAILED, Status.CANCELLED})
# The client has it.
REACHED = frozenset({Status.DELIVERED, Status.READ})


def origins(target: Status) -> frozenset[Status]:
    """The states from which a notification may move to `target`."""
    return frozenset(origin for origin, targets in MOVES.items() if target in targets)
