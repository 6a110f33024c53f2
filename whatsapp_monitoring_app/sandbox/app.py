"""The routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypedDict

import anyio
from anyio.abc import TaskGroup
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from whatsapp_monitoring_app.sandbox import account, account_pages, cloud_api, inspection, pages, sending
from whatsapp_monitoring_app.sandbox.config import SandboxConfig
from whatsapp_monitoring_app.sandbox.errors import Refused
from whatsapp_monitoring_app.sandbox.sandbox import Sandbox


class VersionConvertor(StringConvertor):
    """A version of Meta's API. It keeps the short addresses of that API apart from those of the pages."""

    regex = r"v[0-9]+\.[0-9]+"


register_url_convertor("version", VersionConvertor())

ROUTES: list[BaseRoute] = [
    Route("/", pages.index, name="index"),
    Route("/phones/{digits}", pages.chat, name="chat"),
    Route("/phones/{digits}/reply", pages.reply, methods=["POST"], name="reply"),
    Route("/webhook/verify", pages.verify_webhook, methods=["POST"], name="verify_webhook"),
    Route("/templates", account_pages.show, name="account"),
    Route("/templates/{template_id}/status", account_pages.change_status, methods=["POST"], name="template_status"),
    Route("/number/quality", account_pages.change_quality, methods=["POST"], name="number_quality"),
    Route("/_sandbox/messages", inspection.messages),
    Route("/_sandbox/messages", inspection.clear, methods=["DELETE"]),
    Route("/_sandbox/requests", inspection.requests),
    Mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static"),
    Route("/{version}/{phone_number_id}/messages", sending.send_message, methods=["POST"]),
    Route("/{version:version}/{waba_id}/message_templates", account.message_templates),
    # Before the number: "debug_token" would be taken for its id.
    Route("/{version:version}/debug_token", account.debug_token),
    Route("/{version:version}/{phone_number_id}", account.phone_number),
]


class Running(TypedDict):
    """What a request finds in its state."""

    tasks: TaskGroup


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[Running]:
    """Receipts live as long as the server does."""
    async with anyio.create_task_group() as tasks:
        yield {"tasks": tasks}
        tasks.cancel_scope.cancel()


async def refuse(request: Request, refused: Exception) -> Response:
    """Say no as Meta does."""
    if not isinstance(refused, Refused):
        raise refused
    error = refused.error
    if error.code is None:
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return Response(status_code=error.http_status, headers=headers)
    return JSONResponse(cloud_api.refused(error, request.app.state.sandbox.random), error.http_status)


def create_app(config: SandboxConfig) -> Starlette:
    """The sandbox as an ASGI application. Its server sets `app.state.hang_up`, which closes a request's connection."""
    app = Starlette(routes=ROUTES, lifespan=lifespan, exception_handlers={Refused: refuse})
    app.state.sandbox = Sandbox(config)
    return app
