"""Which of our templates hold messages back, for people to see."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from whatsapp_monitoring_app.models import WhatsAppTemplate
from whatsapp_monitoring_app.models.notification_queries import NotificationQuerySet

# Different refusals of one template that people are shown.
REASONS = 3


@dataclass(frozen=True)
class Hold:
    """Messages that wait for one template; without it, the one that would have said them is no longer used."""

    template: WhatsAppTemplate | None
    count: int
    reasons: list[str]
    offices: frozenset[str]


def held(notifications: NotificationQuerySet) -> list[Hold]:
    """One entry per template that cannot be used while some of these messages need it, the most needed first.

    One query, and one more when there is such a message.
    """
    waiting = notifications.waiting_for_template().order_by()
    groups = list(
        waiting.values_list("template_id", "message_type", "source_app", "error_message").annotate(count=Count("pk"))
    )
    templates = {template.pk: template for template in WhatsAppTemplate.objects.all()} if groups else {}
    reasons: dict[int, Counter[str]] = defaultdict(Counter)
    offices: dict[int, set[str]] = defaultdict(set)
    for template_id, message_type, office, reason, count in groups:
        key = template_id or _stand_in(message_type, templates.values())
        reasons[key][reason] += count
        offices[key].add(office)
    holds = [
        Hold(templates.get(pk), counts.total(), _most_frequent(counts), frozenset(offices[pk]))
        for pk, counts in reasons.items()
    ]
    return sorted(holds, key=lambda hold: -hold.count)


def _stand_in(message_type: str, templates: Iterable[WhatsAppTemplate]) -> int:
    """The key of the template that would take the place of a free text of this type; 0 when there is none any more."""
    in_use = {template.message_type: template.pk for template in templates if template.is_active}
    return in_use.get(message_type) or in_use.get(WhatsAppTemplate.EVERY_TYPE, 0)


def _most_frequent(counts: Counter[str]) -> list[str]:
    return [reason for reason, _count in counts.most_common(REASONS) if reason]
