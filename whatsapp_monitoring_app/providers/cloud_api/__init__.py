"""Meta's WhatsApp Cloud API.

Sources: developers.facebook.com/docs/whatsapp, pages "Messages", "Webhooks" and "Error codes" (September 2026).
"""

from whatsapp_monitoring_app.providers.cloud_api.errors import CODES_BY_CLASS
from whatsapp_monitoring_app.providers.cloud_api.provider import CloudApi

__all__ = ["CODES_BY_CLASS", "CloudApi"]
