"""Weights and fees as people read them in their language."""

from decimal import Decimal

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def kg(weight: Decimal | float | None) -> str:
    """A weight without needless zeros: “12,5 kg” in French, “12.5 kg” in English; "" for none."""
    if weight is None:
        return ""
    digits = round(Decimal(weight), 2).normalize()
    return f"{number_format(digits, use_l10n=True, force_grouping=True)} kg"


@register.filter
def fcfa(amount: int | None) -> str:
    """An amount of francs, which have no cents: “125 000 FCFA” that never breaks over two lines; "" for none."""
    if amount is None:
        return ""
    return f"{number_format(amount, use_l10n=True, force_grouping=True)}\N{NO-BREAK SPACE}FCFA"
