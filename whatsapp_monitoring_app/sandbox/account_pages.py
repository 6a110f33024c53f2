"""What a developer changes of the account: the status of its templates, the quality of its number."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from whatsapp_monitoring_app.sandbox import account_webhooks
from whatsapp_monitoring_app.sandbox.pages import templates
from whatsapp_monitoring_app.sandbox.phones import now
from whatsapp_monitoring_app.sandbox.sandbox import Sandbox

VERBS = {"APPROVED": "Approve", "PAUSED": "Pause", "DISABLED": "Disable"}
QUALITY_EVENTS = ("FLAGGED", "UNFLAGGED")


async def show(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    context = {
        "catalogue": sandbox.catalogue.templates,
        "verbs": VERBS,
        "config": sandbox.config,
        "is_flagged": sandbox.is_flagged,
    }
    return templates.TemplateResponse(request, "account.html", context)


async def change_status(request: Request) -> Response:
    """Pause, disable or approve a template, and tell the project."""
    sandbox: Sandbox = request.app.state.sandbox
    template_id = request.path_params["template_id"]
    if template_id not in sandbox.catalogue.templates:
        raise HTTPException(404, "No such template.")
    if sandbox.catalogue.set_status(template_id, await _chosen(request, "status", *VERBS)):
        template = sandbox.catalogue.templates[template_id]
        _tell(request, account_webhooks.template_status_update(sandbox.config, template_id, template, now()))
    return _back(request)


async def change_quality(request: Request) -> Response:
    """Flag the business number or clear it, and tell the project."""
    sandbox: Sandbox = request.app.state.sandbox
    event = await _chosen(request, "event", *QUALITY_EVENTS)
    sandbox.is_flagged = event == "FLAGGED"
    _tell(request, account_webhooks.quality_update(sandbox.config, event, now()))
    return _back(request)


async def _chosen(request: Request, name: str, *choices: str) -> str:
    async with request.form() as form:
        value = str(form.get(name, ""))
    if value not in choices:
        raise HTTPException(400, f"The {name} is one of {', '.join(choices)}.")
    return value


def _tell(request: Request, payload: dict[str, object]) -> None:
    request.state.tasks.start_soon(request.app.state.sandbox.postman.post, payload)


def _back(request: Request) -> Response:
    return RedirectResponse(request.url_for("account"), status_code=303)
