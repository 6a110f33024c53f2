"""The monitoring screens, bound to the China office."""

from agent_chine_app.apps import AgentChineConfig
from whatsapp_monitoring_app.views import dashboard, details, listing, retries

scope = AgentChineConfig.scope

whatsapp_monitoring_dashboard = dashboard.DashboardView.as_view(scope=scope)
whatsapp_monitoring_list = listing.NotificationListView.as_view(scope=scope)
whatsapp_attempt_details = details.DetailsView.as_view(scope=scope)
retry_failed_notifications = retries.RetryFailedView.as_view(scope=scope)
