from django.urls import path
from django.views.generic import RedirectView

from admin_chine_app.apps import AdminChineConfig
from whatsapp_monitoring_app.urls import admin_urls, monitoring_urls, template_urls

app_name = "admin_chine"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin_chine:whatsapp_monitoring"), name="home"),
    *monitoring_urls(AdminChineConfig.scope),
    *admin_urls(AdminChineConfig.scope),
    *template_urls(AdminChineConfig.scope),
]
