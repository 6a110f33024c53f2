from whatsapp_monitoring_app.models import senders
from whatsapp_monitoring_app.providers.base import Provider
from whatsapp_monitoring_app.providers.cloud_api import CloudApi
from whatsapp_monitoring_app.providers.console import Console
from whatsapp_monitoring_app.providers.twilio import Twilio
from whatsapp_monitoring_app.providers.wachap import WaChap

_ALL = (CloudApi(), WaChap(), Twilio(), Console())
_PROVIDERS: dict[str, Provider] = {provider.code: provider for provider in _ALL}

# The models cannot look up here: they are told.
senders.WITHOUT_RECEIPTS.update(code for code, provider in _PROVIDERS.items() if not provider.has_receipts)


def all_providers() -> list[Provider]:
    """Every dialect that is spoken."""
    return list(_PROVIDERS.values())


def get(code: str) -> Provider:
    """The provider that speaks this dialect. Raises KeyError."""
    return _PROVIDERS[code]
