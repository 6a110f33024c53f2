"""Creating clients in the background: the functions that views and scripts call."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from celery.result import AsyncResult
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.models import User
from agent_chine_app import client_creation
from agent_chine_app.client_creation import NewClient
from agent_chine_app.models import ClientCreation
from agent_chine_app.tasks import create_client_account_async
from whatsapp_monitoring_app.bells import after_commit


def create_client_async(
    telephone: str,
    first_name: str,
    last_name: str,
    email: str | None = None,
    *,
    language: str = "fr",
    requested_by: User | None = None,
    code: uuid.UUID | None = None,
) -> "AsyncResult[str]":
    """Create a client in the background and send them their first-password link.

    The result's `id` is what get_client_creation_status takes. Written in the caller's transaction, started after its
    commit. `code`, made by the caller, turns a repeated request into one creation. Raises ValueError with a sentence
    for people: phones.InvalidTelephone, client_creation.InvalidClient.
    """
    client = NewClient(
        telephone=telephone, first_name=first_name, last_name=last_name, email=email or "", language=language
    )
    creation, created = client_creation.submit(client, requested_by, code)
    if created:
        after_commit(create_client_account_async, str(creation.code), task_id=str(creation.code))
    return AsyncResult(str(creation.code))


def create_client_for_view(
    request: HttpRequest,
    telephone: str,
    first_name: str,
    last_name: str,
    email: str | None = None,
    *,
    language: str = "fr",
    code: uuid.UUID | None = None,
) -> dict[str, Any]:
    """What a view answers: `{"success": True, "task_id", "message"}` or `{"success": False, "error"}`."""
    requested_by = request.user if request.user.is_authenticated else None
    try:
        task = create_client_async(
            telephone, first_name, last_name, email, language=language, requested_by=requested_by, code=code
        )
    except ValueError as error:
        return {"success": False, "error": str(error)}
    return {"success": True, "task_id": task.id, "message": _("The client is being created.")}


def create_clients_bulk_async(
    clients: Iterable[Mapping[str, str]], *, requested_by: User | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Create many clients, given as mappings with create_client_async's names.

    `{"created": [{"index", "task_id"}], "errors": [{"index", "error"}]}`: a bad one does not stop the others.
    """
    created, errors = [], []
    for index, client in enumerate(clients):
        try:
            task = create_client_async(
                client.get("telephone", ""),
                client.get("first_name", ""),
                client.get("last_name", ""),
                client.get("email"),
                requested_by=requested_by,
            )
        except ValueError as error:
            errors.append({"index": index, "error": str(error)})
        else:
            created.append({"index": index, "task_id": task.id})
    return {"created": created, "errors": errors}


def get_client_creation_status(task_id: str) -> dict[str, Any]:
    """How far a creation is: `{"task_id", "status", "step", "progress", "result", "error"}`.

    `status` is PENDING, STARTED, SUCCESS, FAILURE, or UNKNOWN for an id that was never given out. `progress` is in
    percent. `result` is None until SUCCESS, then `{"client_id", "telephone", "name", "created", "notification"}`.
    """
    creation = _creation(task_id)
    if creation is None:
        return {
            "task_id": str(task_id),
            "status": "UNKNOWN",
            "step": None,
            "progress": 0,
            "result": None,
            "error": _("No creation has this number."),
        }
    return {
        "task_id": str(creation.code),
        "status": creation.status,
        "step": creation.get_step_display(),
        "progress": creation.progress,
        "result": _result(creation),
        "error": creation.error or None,
    }


def _creation(task_id: str) -> ClientCreation | None:
    try:
        return ClientCreation.objects.select_related("client__user").filter(pk=uuid.UUID(str(task_id))).first()
    except ValueError:
        return None


def _result(creation: ClientCreation) -> dict[str, Any] | None:
    if creation.client is None or creation.status != ClientCreation.Status.SUCCESS:
        return None
    return {
        "client_id": creation.client.pk,
        "telephone": creation.client.user.telephone,
        "name": str(creation.client),
        "created": creation.was_new,
        "notification": str(creation.notification_code),
    }
