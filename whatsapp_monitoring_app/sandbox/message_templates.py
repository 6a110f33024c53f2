"""Message templates: what Meta demands of a message that names one, and what the customer then reads.

https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview
"""

import re
from collections import defaultdict
from dataclasses import dataclass

from whatsapp_monitoring_app.sandbox import cloud_api, errors
from whatsapp_monitoring_app.sandbox.cloud_api import Members
from whatsapp_monitoring_app.sandbox.errors import Refused

VARIABLE = re.compile(r"\{\{(\w+)\}\}")
MEDIA = ("IMAGE", "DOCUMENT", "VIDEO")


@dataclass(frozen=True)
class UrlButton:
    """A button that opens a page. Its address may end with {{1}}."""

    text: str
    url: str


@dataclass(frozen=True)
class SandboxTemplate:
    """A template of the pretended account.

    Its texts hold variables, {{1}} and {{2}} or {{name}}. The header is one of `MEDIA`, or else the text itself.
    """

    name: str
    language: str
    body: str
    status: str = "APPROVED"
    category: str = "UTILITY"
    header: str | None = None
    button: UrlButton | None = None

    @property
    def parameter_format(self) -> str:
        return "NAMED" if _are_named(variables(f"{self.header} {self.body}")) else "POSITIONAL"

    def fill(self, components: list[Members]) -> str:
        """The text as the customer reads it.

        Raises `Refused` when the parameters do not fit.
        """
        given: dict[str, list[Members]] = defaultdict(list)
        for component in components:
            given[component.required("type", str).lower()] += component.each("parameters")
        parts = (
            _fill_header(self.header, given["header"]),
            _fill_text("body", self.body, given["body"]),
            _fill_button(self.button, given["button"]),
        )
        return "\n".join(part for part in parts if part)


def variables(text: str) -> list[str]:
    """The names or numbers of the variables, each once, in the order in which values are given."""
    names = list(dict.fromkeys(VARIABLE.findall(text)))
    return names if _are_named(names) else sorted(names, key=int)


def _are_named(names: list[str]) -> bool:
    return not all(name.isdecimal() for name in names)


def _fill_header(header: str | None, parameters: list[Members]) -> str:
    if header not in MEDIA:
        return _fill_text("header", header or "", parameters)
    received = parameters[0].required("type", str).upper() if parameters else "UNKNOWN"
    if received != header:
        raise _mismatch("header", header, received)
    _check_count("header", len(parameters), 1)
    return f"[{header.lower()}] {cloud_api.read_parameter(parameters[0])}"


def _fill_text(component: str, text: str, parameters: list[Members]) -> str:
    names = variables(text)
    _check_count(component, len(parameters), len(names))
    given = [parameter.optional("parameter_name", str) for parameter in parameters]
    if _are_named(names) and set(given) != set(names):
        raise Refused(errors.wrong_template_format(f"{component}: Parameter name is missing or empty"))
    if not _are_named(names) and any(given):
        raise Refused(errors.wrong_template_format(f"{component}: Parameter names are given to a positional template"))
    texts = [_text_of(component, parameter) for parameter in parameters]
    values = dict(zip(given if _are_named(names) else names, texts, strict=True))
    return VARIABLE.sub(lambda variable: values[variable[1]], text)


def _fill_button(button: UrlButton | None, parameters: list[Members]) -> str:
    url = button.url if button else ""
    if VARIABLE.search(url) and not parameters:
        raise Refused(errors.BUTTON_PARAMETER_MISSING)
    # A button's variable has no name, not even where the other variables have one.
    filled = _fill_text("button", url, parameters)
    return f"[{button.text}] {filled}" if button else ""


def _text_of(component: str, parameter: Members) -> str:
    match parameter.required("type", str):
        case "text":
            return parameter.required("text", str)
        case "currency" | "date_time" as kind:
            return parameter.inside(kind).required("fallback_value", str)
        case other:
            raise _mismatch(component, "TEXT", other.upper())


def _check_count(component: str, given: int, expected: int) -> None:
    if given != expected:
        raise Refused(errors.wrong_parameter_count(component, given, expected))


def _mismatch(component: str, expected: str, received: str) -> Refused:
    details = f"{component}: Format mismatch, expected {expected}, received {received}"
    return Refused(errors.wrong_template_format(details))
