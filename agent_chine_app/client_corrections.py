"""A client's details are put right, and what a wrong number kept from them is owed to the right one.

For every office whose agents speak with clients.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import phones
from accounts.models import User
from agent_chine_app.models import Client, NumberChange
from whatsapp_monitoring_app.models import CancelReason, WhatsAppWrongNumber
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet
from whatsapp_monitoring_app.services import corrections, turns

OF_THE_ACCOUNT = ("first_name", "last_name", "telephone", "email", "language")


@dataclass(frozen=True, kw_only=True)
class Details:
    """Who a client is; `telephone` in E.164."""

    first_name: str
    last_name: str
    telephone: str
    email: str
    language: str
    country: str
    shares_phone: bool
    note: str


class NumberTaken(ValueError):
    """Another account, its `owner`, has this number. A sentence for people."""

    def __init__(self, owner: User) -> None:
        super().__init__(_("This number already has an account."))
        self.owner = owner


class ChangedMeanwhile(ValueError):
    """Somebody else has changed the number to `number` since the form was opened. A sentence for people."""

    def __init__(self, number: str, by: User | None) -> None:
        text = _("%(person)s has changed the number to %(number)s meanwhile. Look at it, and save again.")
        super().__init__(text % {"person": by or _("Somebody"), "number": phones.for_people(number)})
        self.number = number


@transaction.atomic
def correct(
    client: Client, details: Details, opened_with: str, by: User, at: datetime, *, old_is_strangers: bool = False
) -> bool:
    """Store these details; whether the number is another one now. `opened_with` is the number that `by` saw first.

    With `old_is_strangers` somebody else answers at the number that changes: nothing more is written to it.
    The same correction made twice is one. Raises NumberTaken or ChangedMeanwhile, and then nothing is stored.
    """
    # One number at a time: two agents who swap two numbers would wait for each other for ever.
    turns.wait_for("correction of a number")
    user = User.objects.select_for_update().get(pk=client.user_id)
    old_number = user.telephone
    if old_number not in (opened_with, details.telephone):
        last = client.number_changes.first()
        raise ChangedMeanwhile(old_number, last.by if last else None)
    is_another = old_number != details.telephone
    if is_another:
        if old_is_strangers:
            corrections.note_stranger(old_number, by, at)
        NumberChange.objects.create(client=client, old=old_number, new=details.telephone, by=by, at=at)
        _take_away(old_number, details.telephone, user, at)
    _store(client, user, details)
    return is_another


def details_of(client: Client) -> Details:
    """What is stored of this client."""
    user = client.user
    return Details(
        **{name: getattr(user, name) for name in OF_THE_ACCOUNT},
        country=client.country,
        shares_phone=client.shares_phone,
        note=client.note,
    )


def _take_away(old_number: str, new_number: str, user: User, at: datetime) -> None:
    """Keep whoever has the old number from what is the client's: messages, links, a password made by one."""
    corrections.move_away(user, old_number, new_number, at)
    if is_strangers(old_number) or not user.has_usable_password():
        # Another unusable password: links that were made for the one before open nothing.
        user.set_unusable_password()


def _store(client: Client, user: User, details: Details) -> None:
    values = asdict(details)
    for name in OF_THE_ACCOUNT:
        setattr(user, name, values.pop(name))
    try:
        with transaction.atomic():
            user.save(update_fields=[*OF_THE_ACCOUNT, "password"])
    except IntegrityError as error:
        raise NumberTaken(User.objects.get(telephone=details.telephone)) from error
    Client.objects.filter(pk=client.pk).update(**values)


def missed(client: Client, number: str, at: datetime) -> NotificationQuerySet:
    """What the client was not told because of this number of theirs, and is still worth saying."""
    vain = corrections.in_vain(client.user, number, at, was_somebody_else=is_strangers(number))
    # The number is right after all: only what was held back did not reach them.
    return vain.filter(cancel_reason=CancelReason.WRONG_NUMBER) if number == client.user.telephone else vain


def is_strangers(number: str) -> bool:
    """Whether somebody noted that somebody else answers at this number."""
    return WhatsAppWrongNumber.objects.filter(phone_number=number).exists()
