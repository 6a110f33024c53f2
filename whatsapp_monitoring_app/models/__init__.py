from whatsapp_monitoring_app.models.announcements import (
    Standing,
    WhatsAppAddressee,
    WhatsAppAnnouncement,
)
from whatsapp_monitoring_app.models.attempts import Form, Outcome, RouteChoice, Trigger, WhatsAppAttempt
from whatsapp_monitoring_app.models.bulks import WhatsAppBulk
from whatsapp_monitoring_app.models.calls import WhatsAppCall
from whatsapp_monitoring_app.models.error_classes import ErrorClass
from whatsapp_monitoring_app.models.error_codes import WhatsAppErrorCode
from whatsapp_monitoring_app.models.inbound import (
    WhatsAppFormerNumber,
    WhatsAppInbound,
    WhatsAppOptOut,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.models.mutes import WhatsAppMute
from whatsapp_monitoring_app.models.notifications import WhatsAppNotification
from whatsapp_monitoring_app.models.receipts import WhatsAppReceipt, WhatsAppWebhookLog
from whatsapp_monitoring_app.models.senders import WhatsAppSender
from whatsapp_monitoring_app.models.statuses import CancelReason, InformedHow, Status
from whatsapp_monitoring_app.models.subjects import WhatsAppSubject
from whatsapp_monitoring_app.models.templates import (
    WhatsAppProviderTemplate,
    WhatsAppTemplate,
    WhatsAppTemplateName,
)

__all__ = [
    "CancelReason",
    "ErrorClass",
    "Form",
    "InformedHow",
    "Outcome",
    "RouteChoice",
    "Standing",
    "Status",
    "Trigger",
    "WhatsAppAddressee",
    "WhatsAppAnnouncement",
    "WhatsAppAttempt",
    "WhatsAppBulk",
    "WhatsAppCall",
    "WhatsAppErrorCode",
    "WhatsAppFormerNumber",
    "WhatsAppInbound",
    "WhatsAppMute",
    "WhatsAppNotification",
    "WhatsAppOptOut",
    "WhatsAppProviderTemplate",
    "WhatsAppReceipt",
    "WhatsAppSender",
    "WhatsAppSubject",
    "WhatsAppTemplate",
    "WhatsAppTemplateName",
    "WhatsAppWebhookLog",
    "WhatsAppWrongNumber",
]
