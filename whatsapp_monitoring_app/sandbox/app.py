"""The routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypedDict

import anyio
from anyio.abc import TaskGroup
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from whatsapp_monitoring_app.sandbox import inspection, pages, sending
from whatsapp_monitoring_app.sandbox.config import SandboxConfig
from whatsapp_monitoring_app.sandbox.sandbox import Sandbox

ROUTES: list[BaseRoute] = [
    Route("/", pages.index, name="index"),
    Route("/phones/{digits}", pages.chat, name="chat"),
    Route("/phones/{digits}/reply", pages.reply, methods=["POST"], name="reply"),
    Route("/webhook/verify", pages.verify_webhook, methods=["POST"], name="verify_webhook"),
    Route("/_sandbox/messages", inspection.messages),
    Route("/_sandbox/messages", inspection.clear, methods=["DELETE"]),
    Route("/_sandbox/requests", inspection.requests),
    Mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static"),
    Route("/{version}/{phone_number_id}/messages", sending.send_message, methods=["POST"]),
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


def create_app(config: SandboxConfig) -> Starlette:
    """The sandbox as an ASGI application. Its server sets `app.state.hang_up`, which closes a request's connection."""
    app = Starlette(routes=ROUTES, lifespan=lifespan)
    app.state.sandbox = Sandbox(config)
    return app
