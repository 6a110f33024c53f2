from django.urls import path

from client_app import preference_views, tracking_views, views

urlpatterns = [
    path("account/", views.HomeView.as_view(), name="client_home"),
    path("account/colis/<int:pk>/photo/", views.PhotoView.as_view(), name="client_photo"),
    path("account/colis/<str:numero_suivi>/", views.ColisView.as_view(), name="client_colis"),
    path("account/preferences/", preference_views.PreferencesView.as_view(), name="client_preferences"),
    path("account/preferences/stop/", preference_views.StopView.as_view(), name="client_stop"),
    path("account/preferences/resume/", preference_views.ResumeView.as_view(), name="client_resume"),
    path("account/password/", preference_views.PasswordView.as_view(), name="client_password"),
    path("suivi/", tracking_views.SearchView.as_view(), name="tracking_search"),
    # Whatever stands there: what is no number gets the same answer as a number of nobody.
    path("suivi/<path:numero_suivi>/", tracking_views.TrackingView.as_view(), name="tracking"),
]
