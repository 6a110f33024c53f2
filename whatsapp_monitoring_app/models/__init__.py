from whatsapp_monitoring_app.models.alerts import AlertKind, WhatsAppAlert, WhatsAppAlertChoice, WhatsAppPulse
from whatsapp_monitoring_app.models.announcements import (
    Standing,
    WhatsAppAddressee,
    WhatsAppAnnouncement,
)
from whatsapp_monitoring_app.models.attempts import Form, Outcome, RouteChoice, Trigger, WhatsAppAttempt
from whatsapp_monitoring_app.models.audit import Action, WhatsAppAuditEntry
from whatsapp_monitoring_app.models.bulks import WhatsAppBulk
from whatsapp_monitoring_app.models.calls import WhatsAppCall
from whatsapp_monitoring_app.models.cause_marks import WhatsAppCauseMark
from whatsapp_monitoring_app.models.error_classes import ErrorClass
from whatsapp_monitoring_app.models.error_codes import WhatsAppErrorCode
from whatsapp_monitoring_app.models.exports import WhatsAppExport
from whatsapp_monitoring_app.models.inbound import (
    WhatsAppFormerNumber,
    WhatsAppInbound,
    WhatsAppOptOut,
    WhatsAppWrongNumber,
)
from whatsapp_monitoring_app.models.mutes import WhatsAppMute
from whatsapp_monitoring_app.models.notifications import WhatsAppNotification
from whatsapp_monitoring_app.models.receipts import WhatsAppReceipt, WhatsAppWebhookLog
from whatsapp_monitoring_app.models.retry_batches import WhatsAppRetryBatch, WhatsAppRetryItem
from whatsapp_monitoring_app.models.saved_views import WhatsAppSavedView
from whatsapp_monitoring_app.models.senders import WhatsAppSender
from whatsapp_monitoring_app.models.statuses import CancelReason, InformedHow, Status
from whatsapp_monitoring_app.models.subjects import WhatsAppSubject
from whatsapp_monitoring_app.models.tallies import (
    WhatsAppBacklog,
    WhatsAppFailureTally,
    WhatsAppTally,
    WhatsAppTallyChange,
    WhatsAppTimeTally,
)
from whatsapp_monitoring_app.models.templates import (
    WhatsAppProviderTemplate,
    WhatsAppTemplate,
    WhatsAppTemplateName,
)

__all__ = [
    "Action",
    "AlertKind",
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
    "WhatsAppAlert",
    "WhatsAppAlertChoice",
    "WhatsAppAnnouncement",
    "WhatsAppAttempt",
    "WhatsAppAuditEntry",
    "WhatsAppBacklog",
    "WhatsAppBulk",
    "WhatsAppCall",
    "WhatsAppCauseMark",
    "WhatsAppErrorCode",
    "WhatsAppExport",
    "WhatsAppFailureTally",
    "WhatsAppFormerNumber",
    "WhatsAppInbound",
    "WhatsAppMute",
    "WhatsAppNotification",
    "WhatsAppOptOut",
    "WhatsAppProviderTemplate",
    "WhatsAppPulse",
    "WhatsAppReceipt",
    "WhatsAppRetryBatch",
    "WhatsAppRetryItem",
    "WhatsAppSavedView",
    "WhatsAppSender",
    "WhatsAppSubject",
    "WhatsAppTally",
    "WhatsAppTallyChange",
    "WhatsAppTemplate",
    "WhatsAppTemplateName",
    "WhatsAppTimeTally",
    "WhatsAppWebhookLog",
    "WhatsAppWrongNumber",
]
