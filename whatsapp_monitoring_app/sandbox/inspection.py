"""What tests ask: which messages were accepted, which requests were seen."""

import dataclasses
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from whatsapp_monitoring_app.sandbox.phones import Message, Phones, SendRequest
from whatsapp_monitoring_app.sandbox.sandbox import Sandbox


async def messages(request: Request) -> Response:
    """The accepted messages, oldest first."""
    phones: Phones = request.app.state.sandbox.phones
    return JSONResponse([_as_json(message) for message in phones.messages.values()])


async def requests(request: Request) -> Response:
    """Every request to send, oldest first, with the HTTP status and error code it was given."""
    phones: Phones = request.app.state.sandbox.phones
    return JSONResponse([_as_json(seen) for seen in phones.requests])


async def clear(request: Request) -> Response:
    """Forget everything. Receipts not yet sent are not sent; those on their way have arrived when this answers."""
    sandbox: Sandbox = request.app.state.sandbox
    sandbox.forget()
    await sandbox.postman.rest()
    return Response(status_code=204)


def _as_json(row: Message | SendRequest) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in dataclasses.asdict(row).items()
    }
