from django.urls import path
from django.views.generic import RedirectView

from admin_mali_app.apps import AdminMaliConfig
from whatsapp_monitoring_app.urls import admin_urls, monitoring_urls, template_urls

app_name = "admin_mali"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin_mali:whatsapp_monitoring"), name="home"),
    *monitoring_urls(AdminMaliConfig.scope),
    *admin_urls(AdminMaliConfig.scope),
    *template_urls(AdminMaliConfig.scope),
]
