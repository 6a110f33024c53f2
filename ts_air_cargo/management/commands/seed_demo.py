from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ts_air_cargo import demo


class Command(BaseCommand):
    help = "Create the demo company, once."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo has a password that everybody knows: it is not for production.")
        loaded = demo.load()
        self.stdout.write("The demo company is ready." if loaded else "The demo company is there already.")
