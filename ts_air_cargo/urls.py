"""Every address of the site. The offices bring their own, and hang here as soon as they are installed."""

from django.contrib import admin
from django.urls import include, path

from ts_air_cargo import views
from whatsapp_monitoring_app import scopes

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("theme/", views.choose_theme, name="set_theme"),
    path("", include("accounts.urls")),
    path("", include("client_app.urls")),
    *(path(f"{scope.slug}/", include(f"{scope.app}.urls")) for scope in scopes.all_scopes().values()),
    path("webhooks/whatsapp/", include("whatsapp_monitoring_app.urls")),
    path("admin/", admin.site.urls),
]
