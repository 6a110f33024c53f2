"""What the screens of lots need beyond Django's own tags."""

from django import template

from agent_chine_app.models import Lot

register = template.Library()

LOOKS = {
    Lot.Status.OPEN: "pending",
    Lot.Status.CLOSED: "pause",
    Lot.Status.SHIPPED: "sending",
    Lot.Status.RECEIVED: "delivered",
}


@register.filter
def lot_look(status: str) -> str:
    """The name of the icon and of the colour of a lot's status."""
    return LOOKS[Lot.Status(status)]
