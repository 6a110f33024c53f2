from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from whatsapp_monitoring_app.services import templates


class Command(BaseCommand):
    help = "Learn from the providers which message templates there are, and in what state."

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when a business account did not answer; the others are synchronised all the same."""
        results = templates.sync_all(timezone.now())
        if not results:
            raise CommandError("No active sender has a business account id and a token to ask with.")
        for result in results:
            outcome = result.error or f"{result.count} templates"
            self.stdout.write(f"{result.business_account_id}: {outcome}")
        if any(result.error for result in results):
            raise CommandError("Not every business account answered.")
