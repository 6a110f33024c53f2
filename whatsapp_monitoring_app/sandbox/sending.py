"""The sending endpoint of Cloud API."""

from collections.abc import Awaitable, Callable

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from whatsapp_monitoring_app.sandbox import cloud_api, receipts
from whatsapp_monitoring_app.sandbox.behaviours import Answer
from whatsapp_monitoring_app.sandbox.phones import Message
from whatsapp_monitoring_app.sandbox.sandbox import Sandbox


async def send_message(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    authorization = request.headers.get("authorization", "")
    message, behaviour = sandbox.receive(request.path_params["phone_number_id"], authorization, await request.body())
    hostility = sandbox.config.hostility
    if sandbox.config.webhook_url is not None and hostility.sends_receipts:
        request.state.tasks.start_soon(receipts.play, sandbox, message, behaviour)
    await anyio.sleep(hostility.answer_delay)
    return await ANSWERS[behaviour.answer](request, message)


async def _complete(request: Request, message: Message) -> Response:
    return JSONResponse(cloud_api.accepted(message.to, message.wa_id, message.wamid))


async def _without_id(request: Request, message: Message) -> Response:
    return JSONResponse(cloud_api.accepted(message.to, message.wa_id, wamid=None))


async def _late(request: Request, message: Message) -> Response:
    await anyio.sleep(request.app.state.sandbox.config.stall_seconds)
    return await _complete(request, message)


async def _garbage(request: Request, message: Message) -> Response:
    return HTMLResponse("<html><h1>Sorry, something went wrong.</h1>", 500)


async def _bad_gateway(request: Request, message: Message) -> Response:
    return PlainTextResponse("upstream connect error or disconnect/reset before headers", 502)


async def _never(request: Request, message: Message) -> Response:
    request.app.state.hang_up(request)
    while (await request.receive())["type"] != "http.disconnect":
        pass
    # The connection is gone, so nobody receives this.
    return Response()


ANSWERS: dict[Answer, Callable[[Request, Message], Awaitable[Response]]] = {
    Answer.COMPLETE: _complete,
    Answer.WITHOUT_ID: _without_id,
    Answer.LATE: _late,
    Answer.GARBAGE: _garbage,
    Answer.BAD_GATEWAY: _bad_gateway,
    Answer.NEVER: _never,
}
