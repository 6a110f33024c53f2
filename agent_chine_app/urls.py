from django.urls import path

from agent_chine_app import client_creation_views, import_views, lot_views, views, whatsapp_views
from agent_chine_app.apps import AgentChineConfig
from agent_chine_app.client_urls import client_urls
from agent_chine_app.colis_edit_views import ColisCreateView, ColisEditView
from agent_chine_app.colis_proof import ColisProofView
from agent_chine_app.colis_views import ColisDetailsView, ColisListView, ColisPhotoView
from agent_chine_app.subject_pages import subject_pages
from whatsapp_monitoring_app.urls import details_urls

app_name = "agent_chine"
scope = AgentChineConfig.scope

urlpatterns = [
    path("", views.HomeView.as_view(scope=scope), name="home"),
    *client_urls(scope, registers=True),
    path("clients/<int:pk>/new-link/", client_creation_views.NewLinkView.as_view(scope=scope), name="client_new_link"),
    path("clients/new/", client_creation_views.ClientCreateView.as_view(scope=scope), name="client_create"),
    path(
        "clients/creations/<uuid:code>/",
        client_creation_views.ClientCreationView.as_view(scope=scope),
        name="client_creation",
    ),
    path("colis/", ColisListView.as_view(scope=scope), name="colis_list"),
    path("colis/new/", ColisCreateView.as_view(scope=scope), name="colis_create"),
    path("colis/<int:pk>/", ColisDetailsView.as_view(scope=scope), name="colis_details"),
    path("colis/<int:pk>/photo/", ColisPhotoView.as_view(scope=scope), name="colis_photo"),
    path("colis/<int:pk>/edit/", ColisEditView.as_view(scope=scope), name="colis_edit"),
    path("colis/<int:pk>/proof/", ColisProofView.as_view(scope=scope), name="colis_proof"),
    path("api/clients/", views.create_client_api, name="create_client_api"),
    path(
        "api/clients/<str:task_id>/", views.ClientCreationApiView.as_view(scope=scope), name="client_creation_status"
    ),
]
urlpatterns += [
    path("clients/import/", import_views.ClientImportsView.as_view(scope=scope), name="client_imports"),
    path("clients/import/example.csv", import_views.ExampleCsvView.as_view(scope=scope), name="client_example_csv"),
    path("clients/import/example.xlsx", import_views.ExampleXlsxView.as_view(scope=scope), name="client_example_xlsx"),
    path("clients/import/<uuid:code>/", import_views.ClientImportView.as_view(scope=scope), name="client_import"),
    path(
        "clients/import/<uuid:code>/start/",
        import_views.StartClientImportView.as_view(scope=scope),
        name="client_import_start",
    ),
    path(
        "clients/import/<uuid:code>/discard/",
        import_views.DiscardClientImportView.as_view(scope=scope),
        name="client_import_discard",
    ),
    path(
        "clients/import/<uuid:code>/lines.csv",
        import_views.LeftOutLinesView.as_view(scope=scope),
        name="client_import_lines",
    ),
    path(
        "clients/import/<uuid:code>/troubles/",
        import_views.ClientImportTroublesView.as_view(scope=scope),
        name="client_import_troubles",
    ),
]
urlpatterns += [
    path("whatsapp/monitoring/", whatsapp_views.whatsapp_monitoring_dashboard, name="whatsapp_monitoring"),
    path("whatsapp/monitoring/list/", whatsapp_views.whatsapp_monitoring_list, name="whatsapp_monitoring_list"),
    path("whatsapp/monitoring/retry/", whatsapp_views.retry_failed_notifications, name="whatsapp_retry_failed"),
]
urlpatterns += [
    path("lots/", lot_views.LotListView.as_view(scope=scope), name="lot_list"),
    path("lots/new/", lot_views.LotCreateView.as_view(scope=scope), name="lot_create"),
    path("lots/<int:pk>/", lot_views.LotView.as_view(scope=scope), name="lot_details"),
    path("lots/<int:pk>/add/", lot_views.LotAddView.as_view(scope=scope), name="lot_add"),
    path("lots/<int:pk>/choose/", lot_views.LotChooseView.as_view(scope=scope), name="lot_choose"),
    path("lots/<int:pk>/colis/<int:colis>/remove/", lot_views.LotRemoveView.as_view(scope=scope), name="lot_remove"),
    path("lots/<int:pk>/close/", lot_views.LotCloseView.as_view(scope=scope), name="lot_close"),
    path("lots/<int:pk>/reopen/", lot_views.LotReopenView.as_view(scope=scope), name="lot_reopen"),
    path("lots/<int:pk>/ship/", lot_views.LotShipView.as_view(scope=scope), name="lot_ship"),
    path("lots/<int:pk>/complete/", lot_views.LotCompleteView.as_view(scope=scope), name="lot_complete"),
]
urlpatterns += details_urls(scope, user_relations=["client"], subject_pages=subject_pages)
