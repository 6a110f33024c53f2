"""Creating a client at once, without telling anybody."""

from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts import phones
from accounts.models import User
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.models import Client


@transaction.atomic
def create_client(
    telephone: str,
    first_name: str,
    last_name: str,
    email: str | None = None,
    *,
    language: str = "fr",
    country: str = "",
    created_by: User | None = None,
) -> tuple[Client, bool]:
    """The client with this telephone, and whether they are new.

    The same telephone is the same client, also when two callers create it at the same moment. A new account has no
    password: its owner chooses one by the first-password link. Raises phones.InvalidTelephone.
    """
    number = phones.to_e164(telephone, AgentChineConfig.scope.country)
    user, _created = User.objects.get_or_create(
        telephone=number,
        defaults={
            "first_name": first_name,
            "last_name": last_name,
            "email": email or "",
            "language": language,
            "time_zone": phones.time_zone_of(number),
            "password": make_password(None),
        },
    )
    return Client.objects.get_or_create(
        user=user, defaults={"created_by": created_by, "country": country or _country(number)}
    )


def _country(number: str) -> str:
    """Where the client most probably is: where their number is from."""
    country = phones.country_of(number)
    return country if country in Client.Country.values else Client.Country.ELSEWHERE
