from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ts_air_cargo import new_office
from whatsapp_monitoring_app.scopes import Scope

LEFT_TO_DO = """\
{scope.app}/ is written. What is left to do:
  1. In ts_air_cargo/settings.py, add this line to INSTALLED_APPS, below the other offices:
         "{scope.app}",
  2. python manage.py migrate     makes its permission, its group and its sender “{scope.sender}”
  3. Give somebody the role {scope.office}: they find their screens at /{scope.slug}/
docs/adding-an-office.md tells the rest.
"""


class Command(BaseCommand):
    help = "Write the app of a new agents' office, for example agent_ivoire, into the current folder."
    # It neither needs a database nor may an unfinished office stop it.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("office", help="agent_ and the place: agent_ivoire")
        parser.add_argument("--label", required=True, help="its name for people, in English as all texts of the code")
        parser.add_argument("--country", required=True, help="ISO 3166 code; numbers typed there are read by its plan")
        parser.add_argument("--sender", help="code of the sender that speaks for it (the place, unless given)")
        parser.add_argument("--sender-label", help="the sender's name for people (the code, unless given)")

    def handle(self, *args: Any, office: str, label: str, country: str, **options: Any) -> None:
        sender = options["sender"] or new_office.place_of(office)
        sender_label = options["sender_label"] or sender.capitalize()
        scope = Scope(office=office, label=label, country=country.upper(), sender=sender, sender_label=sender_label)
        try:
            new_office.write(scope)
        except new_office.CannotBeAnOffice as refusal:
            raise CommandError(f"{refusal} Nothing was written.") from refusal
        self.stdout.write(LEFT_TO_DO.format(scope=scope))
