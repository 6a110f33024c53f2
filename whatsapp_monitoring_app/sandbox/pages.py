"""What a developer looks at: the phones, their chats, the refused requests."""

from datetime import datetime
from itertools import islice
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates

from whatsapp_monitoring_app.sandbox import webhooks
from whatsapp_monitoring_app.sandbox.behaviours import MAGIC_NUMBERS
from whatsapp_monitoring_app.sandbox.phones import Message
from whatsapp_monitoring_app.sandbox.sandbox import Sandbox

REFUSALS_SHOWN = 20
LONGEST_TEXT = 4096

templates = Jinja2Templates(Path(__file__).parent / "templates")


def clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M:%S}"


def day_and_clock(moment: datetime) -> str:
    return f"{moment.astimezone():%d/%m %H:%M}"


templates.env.filters |= {"clock": clock, "day_and_clock": day_and_clock}


async def index(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    context = {
        "chats": sandbox.phones.chats(),
        "refusals": list(islice(sandbox.phones.refusals(), REFUSALS_SHOWN)),
        "magic_numbers": MAGIC_NUMBERS,
        "config": sandbox.config,
        "webhook_verdict": sandbox.webhook_verdict,
    }
    return templates.TemplateResponse(request, "index.html", context)


async def chat(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    phone = _phone(request)
    sender = sandbox.phones.sender_for(phone, sandbox.config.phone_number_id)
    entries = sandbox.phones.chat(phone)
    context = {
        "phone": phone,
        "behaviour": MAGIC_NUMBERS.get(phone),
        "entries": entries,
        "texts": {entry.wamid: entry.text for entry in entries},
        "answerable": [entry for entry in entries if isinstance(entry, Message)][:-11:-1],
        "longest_text": LONGEST_TEXT,
        "keeps_window": sandbox.config.keeps_window,
        "window_until": sandbox.window_until(phone, sender),
    }
    return templates.TemplateResponse(request, "chat.html", context)


async def reply(request: Request) -> Response:
    """Write to the business, in the customer's name."""
    sandbox: Sandbox = request.app.state.sandbox
    phone = _phone(request)
    async with request.form() as form:
        text, context = str(form.get("text", "")).strip(), str(form.get("context", ""))
    if not 1 <= len(text) <= LONGEST_TEXT:
        raise HTTPException(400, f"A reply has 1 to {LONGEST_TEXT} characters.")
    written = sandbox.reply(phone, text, context or None)
    request.state.tasks.start_soon(sandbox.postman.post, webhooks.inbound_text(sandbox.config, written))
    return RedirectResponse(request.url_for("chat", digits=phone), status_code=303)


async def verify_webhook(request: Request) -> Response:
    """Do the handshake that Meta does when a webhook is subscribed."""
    sandbox: Sandbox = request.app.state.sandbox
    if sandbox.config.webhook_url is not None:
        sandbox.webhook_verdict = await webhooks.verify(sandbox.config)
    return RedirectResponse(request.url_for("index"), status_code=303)


def _phone(request: Request) -> str:
    digits: str = request.path_params["digits"]
    # E.164 numbers have at most fifteen digits.
    if not (digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15):
        raise HTTPException(404, "Not a phone number.")
    return digits
