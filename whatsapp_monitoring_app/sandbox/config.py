"""What a sandbox is told when it starts."""

from dataclasses import dataclass

import phonenumbers

from whatsapp_monitoring_app.sandbox.hostility import PEACE, Hostility
from whatsapp_monitoring_app.sandbox.message_templates import SandboxTemplate


@dataclass(frozen=True)
class SandboxConfig:
    """Secrets shared with the project, and the pace of the pretended customers.

    Delays are ranges in seconds, each counted from the receipt before it. Without a webhook address nothing is posted
    and messages stay accepted. Port 0 means any free port. The same seed gives the same delays and message ids.

    Without templates every template name is taken. A sandbox that keeps the window delivers nothing but templates to a
    customer who has not written for 24 hours.
    """

    app_secret: str
    verify_token: str
    token: str
    webhook_url: str | None = None
    sent_delay: tuple[float, float] = (0.1, 0.5)
    delivered_delay: tuple[float, float] = (0.3, 1.5)
    read_delay: tuple[float, float] = (1.0, 4.0)
    webhook_retry_delays: tuple[float, ...] = (0.5, 1, 2, 4, 8, 16)
    stall_seconds: float = 30.0
    seed: int | None = None
    hostility: Hostility = PEACE
    templates: tuple[SandboxTemplate, ...] = ()
    keeps_window: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    waba_id: str = "102290129340398"
    phone_number_id: str = "106540352242922"
    display_phone_number: str = "22320000000"
    verified_name: str = "WhatsApp sandbox"
    messaging_limit_tier: str = "TIER_1K"

    @property
    def country_code(self) -> int:
        """The country calling code of the business number."""
        return phonenumbers.parse(f"+{self.display_phone_number}").country_code or 0
