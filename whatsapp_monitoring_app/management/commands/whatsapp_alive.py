"""Whether the workers or beat live, for who supervises processes: the exit code says it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from whatsapp_monitoring_app.services import pulses


class Command(BaseCommand):
    help = "Ends well if this part has given a sign of life in the last minutes."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("part", choices=pulses.Part.values)

    def handle(self, *args: Any, **options: Any) -> None:
        found = pulses.look(timezone.now())
        pulse = next(pulse for pulse in found.all if pulse.part == options["part"])
        seen = f"last seen {pulse.at:%Y-%m-%d %H:%M:%S} UTC" if pulse.at else "never seen"
        if not pulse.is_alive:
            raise CommandError(f"{pulse.part.label}: {seen}.")
        self.stdout.write(f"{pulse.part.label}: {seen}.")
