"""Every address of the site. The offices bring their own; this page only says where they hang."""

from django.contrib import admin
from django.urls import include, path

from ts_air_cargo import views

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("", include("accounts.urls")),
    path("agent-chine/", include("agent_chine_app.urls")),
    path("agent-mali/", include("agent_mali_app.urls")),
    path("admin-chine/", include("admin_chine_app.urls")),
    path("admin-mali/", include("admin_mali_app.urls")),
    path("webhooks/whatsapp/", include("whatsapp_monitoring_app.urls")),
    path("admin/", admin.site.urls),
]
