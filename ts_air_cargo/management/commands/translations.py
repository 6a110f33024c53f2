from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Check that every catalogue in locale/ is complete; with --write, add what is missing and compile."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", action="store_true", help="add the missing texts and compile the catalogues")

    def handle(self, *args: Any, write: bool, **options: Any) -> None:
        # polib is a development requirement.
        from ts_air_cargo import catalogues

        base = Path(settings.BASE_DIR)
        apps = [base / name for name in settings.INSTALLED_APPS if (base / name).is_dir()]
        texts = catalogues.texts_in(apps, [base / "templates"])
        found = []
        for po_path in sorted((base / "locale").glob("*/LC_MESSAGES/django.po")):
            if write:
                catalogues.update(po_path, texts)
            found += [f"{po_path.relative_to(base)}: {problem}" for problem in catalogues.problems(po_path, texts)]
        if found:
            raise CommandError("\n".join(["The catalogues are not complete:", *found]))
        self.stdout.write(f"{len(texts)} texts, all translated.")
