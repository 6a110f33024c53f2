"""A small server that speaks WhatsApp Cloud API, for development, demonstrations and tests.

It knows nothing of Django: the project talks to it over HTTP only, as it would talk to Meta.
"""

from whatsapp_monitoring_app.sandbox.config import SandboxConfig
from whatsapp_monitoring_app.sandbox.hostility import Hostility
from whatsapp_monitoring_app.sandbox.message_templates import SandboxTemplate, UrlButton
from whatsapp_monitoring_app.sandbox.server import PortTaken, RunningSandbox, running, serve

__all__ = [
    "Hostility", "PortTaken", "RunningSandbox", "SandboxConfig", "SandboxTemplate", "UrlButton", "running", "serve",
]  # fmt: skip
