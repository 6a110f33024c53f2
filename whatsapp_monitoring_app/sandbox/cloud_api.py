"""What Meta demands of a message, and what Meta answers.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeVar, cast

from whatsapp_monitoring_app.sandbox.errors import UNSUPPORTED_TYPE, CloudError, Refused, invalid_parameter

Kind = TypeVar("Kind", str, bool, dict[str, object], list[object])

KIND_NAMES = {str: "a string", bool: "a boolean", dict: "an object", list: "an array"}
PHONE = re.compile(r"\+?[\d\s()-]+")
FBTRACE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


@dataclass(frozen=True)
class SendOrder:
    """A message that Meta would accept, before the recipient is considered."""

    to: str
    type: str
    text: str
    tracking: str | None
    template: str | None = None

    @property
    def to_had_plus(self) -> bool:
        return self.to.startswith("+")

    def wa_id(self, country_code: int) -> str:
        """The digits the message goes to: without a plus sign, Meta prepends the business number's country code."""
        digits = re.sub(r"\D", "", self.to)
        return digits if self.to_had_plus else f"{country_code}{digits}"


class Members:
    """The members of a JSON object, asked for by name and refused by name."""

    def __init__(self, values: Mapping[str, object], path: str = "") -> None:
        self.values = values
        self.path = path

    def name(self, member: str) -> str:
        return f"{self.path}['{member}']" if self.path else member

    def optional(self, member: str, kind: type[Kind]) -> Kind | None:
        value = self.values.get(member)
        if value is None:
            return None
        if not isinstance(value, kind):
            raise invalid_parameter(f"Param {self.name(member)} must be {KIND_NAMES[kind]}.")
        return value

    def required(self, member: str, kind: type[Kind]) -> Kind:
        value = self.optional(member, kind)
        if value is None or value == "":
            raise invalid_parameter(f"The parameter {self.name(member)} is required.")
        return value

    def string(self, member: str, longest: int) -> str | None:
        value = self.optional(member, str)
        if value is not None and len(value) > longest:
            raise invalid_parameter(f"Param {self.name(member)} must be at most {longest} characters long.")
        return value

    def inside(self, member: str) -> "Members":
        return Members(self.required(member, dict), self.name(member))

    def each(self, member: str) -> "list[Members]":
        """The objects of an optional array."""
        values = self.optional(member, list) or []
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise invalid_parameter(f"Param {self.name(member)}[{index}] must be an object.")
        return [
            Members(cast(dict[str, object], value), f"{self.name(member)}[{index}]")
            for index, value in enumerate(values)
        ]


def read_text(text: Members) -> str:
    text.optional("preview_url", bool)
    text.required("body", str)
    return text.string("body", 4096) or ""


def read_media(media: Members) -> str:
    link, media_id = media.optional("link", str), media.optional("id", str)
    if not link and not media_id:
        raise invalid_parameter(f"The parameter {media.name('link')} or {media.name('id')} is required.")
    if link and not link.startswith("https://"):
        raise invalid_parameter(f"Param {media.name('link')} must be an https address.")
    caption = media.string("caption", 1024)
    return caption or media.optional("filename", str) or link or f"media {media_id}"


def read_template(template: Members) -> str:
    name = template.required("name", str)
    language = template.inside("language").required("code", str)
    values = [value for component in template.each("components") for value in read_component(component)]
    return f"{name} ({language})" + (f": {', '.join(values)}" if values else "")


def read_component(component: Members) -> list[str]:
    component.required("type", str)
    return [read_parameter(parameter) for parameter in component.each("parameters")]


def read_parameter(parameter: Members) -> str:
    match parameter.required("type", str):
        case "text":
            return parameter.required("text", str)
        case "image" | "document" | "video" as kind:
            return read_media(parameter.inside(kind))
        case other:
            return other


READERS: dict[str, Callable[[Members], str]] = {
    "text": read_text,
    "template": read_template,
    "image": read_media,
    "document": read_media,
}


def decode(body: bytes) -> dict[str, object]:
    """The JSON object of a request.

    Raises `Refused` when the body holds anything else.
    """
    try:
        payload = json.loads(body)
    except ValueError as error:
        raise invalid_parameter("The request body is not valid JSON.") from error
    if not isinstance(payload, dict):
        raise invalid_parameter("The request body must be a JSON object.")
    return payload


def read_order(payload: Mapping[str, object]) -> SendOrder:
    """The message in a request.

    Raises `Refused` with the error Meta gives.
    """
    members = Members(payload)
    if members.required("messaging_product", str) != "whatsapp":
        raise invalid_parameter("Param messaging_product must be one of {WHATSAPP}.")
    to = read_phone(members)
    # Meta takes a message without a type for a text.
    kind = members.optional("type", str) or "text"
    if kind not in READERS:
        raise Refused(UNSUPPORTED_TYPE)
    content = members.inside(kind)
    text = READERS[kind](content)
    template = content.required("name", str) if kind == "template" else None
    return SendOrder(to, kind, text, members.string("biz_opaque_callback_data", 512), template)


def read_phone(members: Members) -> str:
    to = members.required("to", str).strip()
    # E.164 numbers have at most fifteen digits.
    if not PHONE.fullmatch(to) or not 7 <= len(re.sub(r"\D", "", to)) <= 15:
        raise Refused(CloudError(131009, "Parameter value is not valid", "Param to is not a valid phone number."))
    return to


def new_wamid(wa_id: str, random: Random) -> str:
    """A message id of the length and look of Meta's."""
    unique = f"{random.getrandbits(72):018X}"
    raw = b"\x1c\x18" + bytes([len(wa_id)]) + wa_id.encode() + b"\x15\x02\x00\x11\x18\x12" + unique.encode() + b"\x00"
    return "wamid." + base64.b64encode(raw).decode()


def accepted(to: str, wa_id: str, wamid: str | None) -> dict[str, object]:
    """The answer to an accepted message. Accepted only: the receipts say what became of it."""
    answer: dict[str, object] = {
        "messaging_product": "whatsapp",
        "contacts": [{"input": to, "wa_id": wa_id}],
    }
    if wamid is not None:
        answer["messages"] = [{"id": wamid}]
    return answer


def refused(error: CloudError, random: Random) -> dict[str, object]:
    """The answer to a refused message."""
    is_about_the_token = error.http_status == 401
    content: dict[str, object] = {
        "message": error.title if is_about_the_token else f"(#{error.code}) {error.title}",
        "type": "OAuthException",
        "code": error.code,
    }
    if error.details is not None:
        content["error_data"] = {"messaging_product": "whatsapp", "details": error.details}
    if error.subcode is not None:
        content["error_subcode"] = error.subcode
    content["fbtrace_id"] = "A" + "".join(random.choices(FBTRACE_ALPHABET, k=22))
    return {"error": content}
