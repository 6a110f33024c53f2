from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from whatsapp_monitoring_app.models.notifications import WhatsAppNotification
from whatsapp_monitoring_app.models.statuses import REACHED, CancelReason, Status

# A person who does without a newer message has no use for an older one either.
UNTOLD = models.Q(notification__status=Status.FAILED) | (
    models.Q(notification__status=Status.CANCELLED) & ~models.Q(notification__cancel_reason=CancelReason.OPT_OUT)
)
SAME_NUMBER = models.Q(notification__phone_number=models.OuterRef("notification__phone_number"))
SAME_PERSON = models.Q(notification__user=models.OuterRef("notification__user"))


class WhatsAppSubject(models.Model):
    """One thing that a notification speaks of, and how much it says of it: a message may speak of many parcels."""

    notification = models.ForeignKey(
        WhatsAppNotification,
        on_delete=models.CASCADE,
        related_name="subjects",
        # The constraint begins with it.
        db_index=False,
        verbose_name=_("notification"),
    )
    name = models.CharField(_("subject"), max_length=120, help_text=_("For example colis:TS1A2B3C4D."))
    fact_rank = models.PositiveSmallIntegerField(_("rank"), default=0)

    class Meta:
        verbose_name = _("subject")
        verbose_name_plural = _("subjects")
        constraints = [
            models.UniqueConstraint(name="a_subject_is_named_once", fields=["notification", "name"]),
        ]
        indexes = [
            # What was said about one thing: superseding, proof of notice.
            models.Index(name="subject_by_name", fields=["name"]),
        ]

    def __str__(self) -> str:
        return self.name


def overtaken(newer: models.Q) -> models.Q:
    """Notifications all of whose facts a newer message says more about.

    `newer` says, in the words of WhatsAppSubject, which of the newer messages count.
    """
    more = WhatsAppSubject.objects.filter(
        newer,
        name=models.OuterRef("name"),
        fact_rank__gt=models.OuterRef("fact_rank"),
    )
    facts: Any = WhatsAppSubject.objects.filter(
        notification=models.OuterRef("pk"),
        fact_rank__gt=0,
        # Always so: a message's rank is the highest of its facts'. Without it PostgreSQL compares all the facts there
        # are, in one hash table, where a few look-ups by index are enough.
        fact_rank__lte=models.OuterRef("fact_rank"),
    )
    # Of most messages the first of these is enough to know that they are not.
    has_facts = models.Q(fact_rank__gt=0)
    return has_facts & models.Q(models.Exists(facts), ~models.Exists(facts.exclude(models.Exists(more))))


def superseded() -> models.Q:
    """Those that a newer message replaces: it will be told, or has been."""
    return overtaken(SAME_NUMBER & ~UNTOLD)


def known_better() -> models.Q:
    """Those whose person has learnt more since: a newer message has arrived, or somebody told them."""
    reached = models.Q(notification__status__in=REACHED) | models.Q(notification__informed_at__isnull=False)
    return overtaken((SAME_NUMBER | SAME_PERSON) & reached)
