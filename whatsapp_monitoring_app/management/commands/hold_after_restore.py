from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from whatsapp_monitoring_app.services import restored


class Command(BaseCommand):
    help = "After a restore, before the workers start: lets nothing be sent that may have been sent since the backup."

    def handle(self, *args: Any, **options: Any) -> None:
        held = restored.hold(timezone.now())
        self.stdout.write(f"Held: {held}. They stand among the failures; each may be sent again by a person.")
