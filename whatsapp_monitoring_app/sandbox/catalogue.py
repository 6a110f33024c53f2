"""The templates of the pretended account, with their present status."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from whatsapp_monitoring_app.sandbox import errors
from whatsapp_monitoring_app.sandbox.cloud_api import Members
from whatsapp_monitoring_app.sandbox.errors import Refused
from whatsapp_monitoring_app.sandbox.message_templates import MEDIA, SandboxTemplate

FIRST_ID = 1_689_556_908_129_832
# Any other status than these two and APPROVED is that of a template that cannot be found.
REFUSALS = {"PAUSED": errors.TEMPLATE_PAUSED, "DISABLED": errors.TEMPLATE_DISABLED}
QUALITY = {"APPROVED": "GREEN", "PAUSED": "RED", "DISABLED": "RED"}


class Catalogue:
    """The templates by their id. Empty, it takes every name."""

    def __init__(self, templates: Iterable[SandboxTemplate]) -> None:
        self.templates = {str(FIRST_ID + index): template for index, template in enumerate(templates)}

    def read(self, order: Members) -> str:
        """What the customer reads of a message that names a template.

        Raises `Refused` with the error Meta gives.
        """
        name, language = order.required("name", str), order.inside("language").required("code", str)
        template = self._find(name, language)
        if template is None or template.status not in ("APPROVED", *REFUSALS):
            raise Refused(errors.template_not_found(name, language))
        if template.status in REFUSALS:
            raise Refused(REFUSALS[template.status])
        return template.fill(order.each("components"))

    def set_status(self, template_id: str, status: str) -> bool:
        """Whether this changed anything. Raises `KeyError` when there is no such template."""
        template = self.templates[template_id]
        self.templates[template_id] = replace(template, status=status)
        return template.status != status

    def _find(self, name: str, language: str) -> SandboxTemplate | None:
        wanted = (name, language)
        return next((found for found in self.templates.values() if (found.name, found.language) == wanted), None)


def as_json(template_id: str, template: SandboxTemplate) -> dict[str, object]:
    """A template as Meta lists it."""
    return {
        "name": template.name,
        "parameter_format": template.parameter_format,
        "components": list(_components(template)),
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "quality_score": {"score": QUALITY.get(template.status, "UNKNOWN")},
        "id": template_id,
    }


def _components(template: SandboxTemplate) -> Iterator[dict[str, object]]:
    if template.header in MEDIA:
        yield {"type": "HEADER", "format": template.header}
    elif template.header:
        yield {"type": "HEADER", "format": "TEXT", "text": template.header}
    yield {"type": "BODY", "text": template.body}
    if template.button:
        yield {
            "type": "BUTTONS",
            "buttons": [{"type": "URL", "text": template.button.text, "url": template.button.url}],
        }
