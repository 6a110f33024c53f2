from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand

from whatsapp_monitoring_app.services import tallies


class Command(BaseCommand):
    help = (
        "Count all messages anew for the figures of the dashboards. Messages may be sent meanwhile, and counts of "
        "deleted ones stay. Needed after rows were changed without the triggers: a restored table, a replica."
    )

    def handle(self, **options: Any) -> None:
        counted = tallies.rebuild(self._say)
        self.stdout.write(self.style.SUCCESS(f"{counted} messages counted."))

    def _say(self, day: datetime, count: int) -> None:
        if count:
            self.stdout.write(f"{day:%Y-%m-%d}: {count}")
