from whatsapp_monitoring_app.models.attempts import Outcome, Trigger, WhatsAppAttempt
from whatsapp_monitoring_app.models.bulks import WhatsAppBulk
from whatsapp_monitoring_app.models.error_classes import ErrorClass
from whatsapp_monitoring_app.models.error_codes import WhatsAppErrorCode
from whatsapp_monitoring_app.models.inbound import WhatsAppInbound, WhatsAppOptOut
from whatsapp_monitoring_app.models.notifications import WhatsAppNotification
from whatsapp_monitoring_app.models.receipts import WhatsAppReceipt, WhatsAppWebhookLog
from whatsapp_monitoring_app.models.senders import WhatsAppSender
from whatsapp_monitoring_app.models.statuses import CancelReason, Status

__all__ = [
    "CancelReason",
    "ErrorClass",
    "Outcome",
    "Status",
    "Trigger",
    "WhatsAppAttempt",
    "WhatsAppBulk",
    "WhatsAppErrorCode",
    "WhatsAppInbound",
    "WhatsAppNotification",
    "WhatsAppOptOut",
    "WhatsAppReceipt",
    "WhatsAppSender",
    "WhatsAppWebhookLog",
]
