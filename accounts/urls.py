from django.contrib.auth.views import LogoutView
from django.urls import path

from accounts import views

urlpatterns = [
    path("login/", views.LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("first-password/<uidb64>/<token>/", views.FirstPasswordView.as_view(), name="first_password"),
    path("language/", views.set_language, name="set_language"),
]
