from django.urls import path

from agent_chine_app import views, whatsapp_views
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.colis_edit_views import ColisCreateView, ColisEditView
from agent_chine_app.colis_views import ColisDetailsView, ColisListView, ColisPhotoView
from whatsapp_monitoring_app.urls import details_urls

app_name = "agent_chine"
scope = AgentChineConfig.scope

urlpatterns = [
    path("", views.HomeView.as_view(scope=scope), name="home"),
    path("clients/", views.ClientListView.as_view(scope=scope), name="client_list"),
    path("clients/<int:pk>/", views.ClientDetailsView.as_view(scope=scope), name="client_details"),
    path("clients/<int:pk>/new-link/", views.NewLinkView.as_view(scope=scope), name="client_new_link"),
    path("clients/new/", views.ClientCreateView.as_view(scope=scope), name="client_create"),
    path("clients/creations/<uuid:code>/", views.ClientCreationView.as_view(scope=scope), name="client_creation"),
    path("colis/", ColisListView.as_view(scope=scope), name="colis_list"),
    path("colis/new/", ColisCreateView.as_view(scope=scope), name="colis_create"),
    path("colis/<int:pk>/", ColisDetailsView.as_view(scope=scope), name="colis_details"),
    path("colis/<int:pk>/photo/", ColisPhotoView.as_view(scope=scope), name="colis_photo"),
    path("colis/<int:pk>/edit/", ColisEditView.as_view(scope=scope), name="colis_edit"),
    path("api/clients/", views.create_client_api, name="create_client_api"),
    path(
        "api/clients/<str:task_id>/", views.ClientCreationApiView.as_view(scope=scope), name="client_creation_status"
    ),
]
urlpatterns += [
    path("whatsapp/monitoring/", whatsapp_views.whatsapp_monitoring_dashboard, name="whatsapp_monitoring"),
    path("whatsapp/monitoring/list/", whatsapp_views.whatsapp_monitoring_list, name="whatsapp_monitoring_list"),
    path("whatsapp/monitoring/retry/", whatsapp_views.retry_failed_notifications, name="whatsapp_retry_failed"),
]
urlpatterns += details_urls(scope)
