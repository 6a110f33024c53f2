"""Creating a client in the background: a row that is asked for, worked on and finished."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import phones
from accounts.models import User
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.client_management import create_client
from agent_chine_app.models import Client, ClientCreation, ClientImport
from whatsapp_monitoring_app.services import quiet_hours
from whatsapp_monitoring_app.services.drafts import UNSTORABLE
from whatsapp_monitoring_app.services.rendering import FIRST_PASSWORD_LINK
from whatsapp_monitoring_app.tasks import send_whatsapp_async

TRIES_AT_MOST = 5


class InvalidClient(ValueError):
    """What is known of the client is not enough; nothing was written. The message is a sentence for people."""


@dataclass(frozen=True, kw_only=True)
class NewClient:
    """A client as somebody gives them."""

    telephone: str
    first_name: str
    last_name: str
    email: str = ""
    language: str = "fr"


def submit(
    client: NewClient, requested_by: User | None = None, code: uuid.UUID | None = None
) -> tuple[ClientCreation, bool]:
    """Write down that this client is to be created; with it, whether it is new.

    `code`, when the caller makes it, turns the same request sent twice into one creation.
    Raises phones.InvalidTelephone or InvalidClient.
    """
    _check(client)
    return ClientCreation.objects.get_or_create(
        code=code or uuid.uuid4(),
        defaults={
            "telephone": phones.to_e164(client.telephone, AgentChineConfig.scope.country),
            "first_name": client.first_name.strip()[:150],
            "last_name": client.last_name.strip()[:150],
            "email": client.email,
            "language": client.language,
            "requested_by": requested_by,
        },
    )


def _check(client: NewClient) -> None:
    for name, text in vars(client).items():
        if not isinstance(text, str) or UNSTORABLE.search(text):
            raise InvalidClient(_("“%(field)s” is not a text that can be stored.") % {"field": name})
    if not client.first_name.strip() or not client.last_name.strip():
        raise InvalidClient(_("A client needs a first name and a last name."))
    if client.language not in dict(settings.LANGUAGES):
        raise InvalidClient(_("“%(language)s” is not a language of the messages.") % {"language": client.language})
    if client.email:
        _check_email(client.email)


def _check_email(email: str) -> None:
    try:
        ClientCreation._meta.get_field("email").run_validators(email)
    except ValidationError as error:
        raise InvalidClient(_("“%(email)s” is not an e-mail address.") % {"email": email}) from error


def run(code: uuid.UUID, at: datetime) -> ClientCreation:
    """Create the client and owe them their first-password link. Running it twice creates and sends once.

    Each step is a transaction of its own, hence seen by who watches; a run after a dead one begins behind the last
    step that was reached.
    """
    creation = ClientCreation.objects.get(pk=code)
    if creation.is_finished:
        return creation
    if creation.tries >= TRIES_AT_MOST:
        creation.fail(_("The creation was interrupted too often. Start it again."), at)
        return creation
    ClientCreation.objects.filter(pk=code).update(tries=creation.tries + 1, rung_at=at)
    if creation.client_id is None:
        creation.reach(creation.Step.ACCOUNT)
    try:
        _create_once(code)
        _tell_once(code, at)
    except ValueError as error:
        creation.fail(str(error), at)
    creation.refresh_from_db()
    return creation


@transaction.atomic
def _create_once(code: uuid.UUID) -> None:
    creation = ClientCreation.objects.select_for_update().get(pk=code)
    if creation.is_finished or creation.client_id:
        return  # by another run
    client, was_new = create_client(
        creation.telephone,
        creation.first_name,
        creation.last_name,
        creation.email,
        language=creation.language,
        country=creation.country,
        created_by=creation.requested_by,
    )
    creation.reach(creation.Step.NOTIFICATION, client=client, was_new=was_new)


@transaction.atomic
def _tell_once(code: uuid.UUID, at: datetime) -> None:
    creation = ClientCreation.objects.select_for_update().get(pk=code)
    if creation.is_finished or creation.client is None:
        return  # finished by another run, while this one waited for the lock
    if not creation.client.user.has_usable_password() and _is_to_tell(creation):
        creation.notification_code = _tell_of_many(creation.client, at) if creation.batch_id else tell(creation.client)
    creation.succeed(at)


def _tell_of_many(client: Client, at: datetime) -> uuid.UUID:
    """Nobody waits for the message of an import: it wakes no one, and does not go before what one person waits for."""
    hours, number = settings.WHATSAPP_QUIET_HOURS, client.user.telephone
    wakes_up_at = quiet_hours.end_of_quiet(at, quiet_hours.zone_of(number, client.user), hours) if hours else at
    return tell(client, priority=5, not_before=wakes_up_at if wakes_up_at > at else None)


def _is_to_tell(creation: ClientCreation) -> bool:
    return creation.batch_id is None or ClientImport.objects.filter(pk=creation.batch_id, tells=True).exists()


class HasPassword(ValueError):
    """The client has chosen a password: a first-password link is of no use to them. A sentence for people."""


def tell_again(client: Client, request_id: uuid.UUID) -> uuid.UUID:
    """Owe the client another first-password link, once for each request; the notification's code.

    Raises HasPassword, or what send_whatsapp_async raises.
    """
    if client.user.has_usable_password():
        raise HasPassword(_("%(client)s has chosen a password already, and needs no link.") % {"client": client})
    return tell(client, f"account_creation:{client.pk}:{request_id}")


def tell(
    client: Client, idempotency_key: str = "", *, priority: int = 1, not_before: datetime | None = None
) -> uuid.UUID:
    """Owe the client the message that carries their first-password link, once for each key; the notification's code.

    Without a key it is their first one.
    """
    with translation.override(client.user.language):
        text = _(
            "Hello %(name)s, your TS Air Cargo account is ready. Choose your password here: %(link)s "
            "(valid for 72 hours, once)."
        ) % {"name": client.user.first_name, "link": FIRST_PASSWORD_LINK}
        title = _("Account created")
    task = send_whatsapp_async(
        user=client.user,
        message_content=text,
        source_app=AgentChineConfig.scope.office,
        message_type="account_creation",
        category="credentials",
        title=title,
        priority=priority,
        subject=f"client:{client.pk}",
        is_secret=True,
        idempotency_key=idempotency_key or f"account_creation:{client.pk}",
        not_before=not_before,
    )
    return uuid.UUID(task.id)
