from whatsapp_monitoring_app.providers.base import Provider
from whatsapp_monitoring_app.providers.cloud_api import CloudApi

_PROVIDERS: dict[str, Provider] = {provider.code: provider for provider in (CloudApi(),)}


def all_providers() -> list[Provider]:
    """Every dialect that is spoken."""
    return list(_PROVIDERS.values())


def get(code: str) -> Provider:
    """The provider that speaks this dialect. Raises KeyError."""
    return _PROVIDERS[code]
