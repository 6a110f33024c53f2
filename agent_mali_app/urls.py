from django.urls import path

from agent_chine_app.colis_proof import ColisProofView
from agent_chine_app.colis_views import ColisDetailsView, ColisListView, ColisPhotoView
from agent_mali_app import views
from agent_mali_app.apps import AgentMaliConfig
from agent_mali_app.whatsapp_integration import (
    retry_failed_notifications,
    whatsapp_monitoring_dashboard,
    whatsapp_monitoring_list,
)
from whatsapp_monitoring_app.urls import details_urls

app_name = "agent_mali"
scope = AgentMaliConfig.scope

urlpatterns = [
    path("", views.HomeView.as_view(scope=scope), name="home"),
    path("colis/", ColisListView.as_view(scope=scope), name="colis_list"),
    path("colis/<int:pk>/", ColisDetailsView.as_view(scope=scope), name="colis_details"),
    path("colis/<int:pk>/photo/", ColisPhotoView.as_view(scope=scope), name="colis_photo"),
    path("colis/<int:pk>/proof/", ColisProofView.as_view(scope=scope), name="colis_proof"),
    path("colis/<int:pk>/arrival/", views.ColisArrivalView.as_view(scope=scope), name="colis_arrival"),
]
urlpatterns += [
    path("whatsapp/monitoring/", whatsapp_monitoring_dashboard, name="whatsapp_monitoring"),
    path("whatsapp/monitoring/list/", whatsapp_monitoring_list, name="whatsapp_monitoring_list"),
    path("whatsapp/monitoring/retry/", retry_failed_notifications, name="whatsapp_retry_failed"),
]
urlpatterns += details_urls(scope)
