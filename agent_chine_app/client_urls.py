"""The addresses of the clients' pages, for every office whose agents speak with them."""

from django.urls import URLPattern, path

from agent_chine_app import client_number_views, client_views
from whatsapp_monitoring_app.scopes import Scope


def client_urls(scope: Scope, *, registers: bool = False) -> list[URLPattern]:
    """Searching, looking at and correcting clients; with `registers`, for an office that also makes them."""
    one = "clients/<int:pk>/"
    details = client_views.ClientDetailsView.as_view(scope=scope, registers=registers)
    return [
        path("clients/", client_views.ClientListView.as_view(scope=scope, registers=registers), name="client_list"),
        path(one, details, name="client_details"),
        path(f"{one}edit/", client_views.ClientEditView.as_view(scope=scope), name="client_edit"),
        path(f"{one}number/", client_number_views.ClientNumberView.as_view(scope=scope), name="client_number"),
        path(f"{one}resend/", client_views.ResendView.as_view(scope=scope), name="client_resend"),
        path(f"{one}wrong-person/", client_views.WrongPersonView.as_view(scope=scope), name="client_wrong_person"),
        path(f"{one}right-person/", client_views.RightPersonView.as_view(scope=scope), name="client_right_person"),
    ]
