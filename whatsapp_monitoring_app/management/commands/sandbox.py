"""Runs the WhatsApp sandbox, for development only."""

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from whatsapp_monitoring_app.services import default_templates

if TYPE_CHECKING:
    from whatsapp_monitoring_app.sandbox import SandboxConfig

WEBHOOK_PATH = "/webhooks/whatsapp/cloud/"


class Command(BaseCommand):
    help = "Runs a small server that speaks WhatsApp Cloud API, for development and demonstrations."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8900)
        parser.add_argument(
            "--keep-window",
            action="store_true",
            help="Deliver nothing but templates to a customer who has not written for 24 hours, as Meta does.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The sandbox is for development: it does not start when DEBUG is off.")
        run(options["port"], options["keep_window"], self)


def run(port: int, keeps_window: bool, command: BaseCommand) -> None:
    try:
        from whatsapp_monitoring_app import sandbox
    except ModuleNotFoundError as error:
        raise CommandError(
            f"The sandbox needs {error.name}: install the development requirements (requirements-dev.txt)."
        ) from error
    config = build_config(port, keeps_window)
    command.stdout.write(f"Starting the sandbox on http://{config.host}:{port}/, receipts go to {config.webhook_url}")
    try:
        sandbox.serve(config)
    except sandbox.PortTaken as error:
        raise CommandError(f"Port {port} is taken: stop the other program or choose another with --port.") from error


def build_config(port: int, keeps_window: bool) -> "SandboxConfig":
    """The sandbox of this project's settings and templates. It needs the development requirements."""
    from whatsapp_monitoring_app.sandbox import SandboxConfig, SandboxTemplate

    templates = (SandboxTemplate(name, language, body) for name, language, body in default_templates.at_the_provider())
    return SandboxConfig(
        app_secret=settings.WHATSAPP_CLOUD_APP_SECRET,
        verify_token=settings.WHATSAPP_CLOUD_VERIFY_TOKEN,
        token=settings.WHATSAPP_SANDBOX_TOKEN,
        webhook_url=settings.PUBLIC_BASE_URL.rstrip("/") + WEBHOOK_PATH,
        port=port,
        keeps_window=keeps_window,
        templates=tuple(templates),
    )
