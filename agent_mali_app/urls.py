from django.urls import path

from agent_chine_app.client_urls import client_urls
from agent_chine_app.colis_proof import ColisProofView
from agent_chine_app.colis_views import ColisDetailsView, ColisListView, ColisPhotoView
from agent_chine_app.subject_pages import subject_pages
from agent_mali_app import lot_views, pickup_views, views
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
    *client_urls(scope),
    path("colis/", ColisListView.as_view(scope=scope), name="colis_list"),
    path("colis/<int:pk>/", ColisDetailsView.as_view(scope=scope), name="colis_details"),
    path("colis/<int:pk>/photo/", ColisPhotoView.as_view(scope=scope), name="colis_photo"),
    path("colis/<int:pk>/proof/", ColisProofView.as_view(scope=scope), name="colis_proof"),
    path("colis/<int:pk>/arrival/", views.ColisArrivalView.as_view(scope=scope), name="colis_arrival"),
    path("colis/<int:pk>/ready/", views.ColisReadyView.as_view(scope=scope), name="colis_ready"),
    path("colis/<int:pk>/shelf/", views.ColisShelfView.as_view(scope=scope), name="colis_shelf"),
    path("colis/<int:pk>/lost/", views.ColisLostView.as_view(scope=scope), name="colis_lost"),
    path("pickup/", pickup_views.PickupView.as_view(scope=scope), name="pickup"),
    path("storage/", pickup_views.StorageView.as_view(scope=scope), name="storage"),
    path("lots/", lot_views.LotListView.as_view(scope=scope), name="lot_list"),
    path("lots/<int:pk>/", lot_views.LotDetailsView.as_view(scope=scope), name="lot_details"),
    path("lots/<int:pk>/scan/", lot_views.LotScanView.as_view(scope=scope), name="lot_scan"),
    path("lots/<int:pk>/receive/", lot_views.LotReceiveView.as_view(scope=scope), name="lot_receive"),
    path("lots/<int:pk>/receive-all/", lot_views.LotReceiveAllView.as_view(scope=scope), name="lot_receive_all"),
    path("lots/<int:pk>/tell/", lot_views.LotTellView.as_view(scope=scope), name="lot_tell"),
    path("lots/<int:pk>/told/<uuid:code>/", lot_views.LotToldView.as_view(scope=scope), name="lot_told"),
    path("lots/<int:pk>/delay/", lot_views.LotDelayView.as_view(scope=scope), name="lot_delay"),
]
urlpatterns += [
    path("whatsapp/monitoring/", whatsapp_monitoring_dashboard, name="whatsapp_monitoring"),
    path("whatsapp/monitoring/list/", whatsapp_monitoring_list, name="whatsapp_monitoring_list"),
    path("whatsapp/monitoring/retry/", retry_failed_notifications, name="whatsapp_retry_failed"),
]
urlpatterns += details_urls(scope, user_relations=["client"], subject_pages=subject_pages)
