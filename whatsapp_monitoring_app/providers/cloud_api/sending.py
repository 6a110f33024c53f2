"""What we say, as Meta wants to be told.

Sources: developers.facebook.com/docs/whatsapp, page "Messages", and the schema of POST /messages in Meta's OpenAPI
description, business-messaging-api v23.0 (github.com/facebook/openapi).
"""

from collections.abc import Mapping
from typing import Any

from whatsapp_monitoring_app.providers import content
from whatsapp_monitoring_app.providers.base import Message


def body_of(message: Message) -> dict[str, Any]:
    """The body of the request that sends this message."""
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        # With its plus sign: without it Meta puts the business number's own country code in front.
        "to": message.to,
        **_content(message.content),
        "biz_opaque_callback_data": message.tracking,
    }
    return body | ({"context": {"message_id": message.reply_to}} if message.reply_to else {})


def _content(what: content.Content) -> dict[str, Any]:
    match what:
        case content.Text(body):
            return {"type": "text", "text": {"body": body, "preview_url": False}}
        case content.Image(link, caption):
            return {"type": "image", "image": _given(link=link, caption=caption)}
        case content.Document(link, filename, caption):
            return {"type": "document", "document": _given(link=link, filename=filename, caption=caption)}
        case content.Template():
            return {"type": "template", "template": _template(what)}


def _template(template: content.Template) -> dict[str, Any]:
    components = [*_header(template), *_body(template.body), *map(_button, template.buttons)]
    # A template without variables must be sent without components.
    language = {"policy": "deterministic", "code": template.language}
    return {"name": template.name, "language": language} | _given(components=components)


def _header(template: content.Template) -> list[dict[str, Any]]:
    match template.header:
        case None:
            return []
        case content.Text(body):
            parameter = {"type": "text", **_given(parameter_name=template.header_name), "text": body}
        case content.Image(link, _):
            parameter = {"type": "image", "image": {"link": link}}
        case content.Document(link, filename, _):
            parameter = {"type": "document", "document": _given(link=link, filename=filename)}
    return [{"type": "header", "parameters": [parameter]}]


def _body(values: tuple[str, ...] | Mapping[str, str]) -> list[dict[str, Any]]:
    if isinstance(values, Mapping):
        parameters = [{"type": "text", "parameter_name": name, "text": text} for name, text in values.items()]
    else:
        parameters = [{"type": "text", "text": text} for text in values]
    return [{"type": "body", "parameters": parameters}] if parameters else []


def _button(button: content.UrlButton | content.QuickReply) -> dict[str, Any]:
    match button:
        case content.UrlButton(_, suffix):
            kind, parameter = "url", {"type": "text", "text": suffix}
        case content.QuickReply(_, payload):
            kind, parameter = "quick_reply", {"type": "payload", "payload": payload}
    return {"type": "button", "sub_type": kind, "index": str(button.index), "parameters": [parameter]}


def _given(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value}
