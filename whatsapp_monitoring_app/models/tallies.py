"""The ledger of counts. The database writes it (migrations/0009_statistics.sql), `services/tallies.py` reads it.

No row refers to another table: what was counted stays when the message, the sender or the template is deleted.
"""

from typing import Any

from django.db import models

NOBODY = 0  # the sender of what has none yet, the template of what has none


class HistogramField(models.Field[Any, Any]):
    """A number of any length, as PostgreSQL has it: Django's own decimals end after a thousand digits."""

    def db_type(self, connection: Any) -> str:
        return "numeric"


class _Tally(models.Model):
    """So many messages of one office that were created within one hour (UTC)."""

    hour = models.DateTimeField()
    source_app = models.CharField(max_length=40)
    is_purged = models.BooleanField(help_text="Whether these messages are deleted: they cannot be counted anew.")

    class Meta:
        abstract = True


class WhatsAppTally(_Tally):
    """How many are where. `untried` wait for their first attempt, which is late ten seconds after they are due."""

    sender = models.BigIntegerField()
    message_type = models.CharField(max_length=60)
    category = models.CharField(max_length=60)
    total = models.IntegerField()
    waiting = models.IntegerField()
    unconfirmed = models.IntegerField()
    accepted = models.IntegerField()
    delivered = models.IntegerField()
    read = models.IntegerField()
    failed = models.IntegerField()
    to_handle = models.IntegerField()
    prompt = models.IntegerField()
    tardy = models.IntegerField()
    untried = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_tally_per_hour",
                fields=["hour", "source_app", "sender", "message_type", "category", "is_purged"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.total} × {self.message_type}, {self.source_app}, {self.hour:%Y-%m-%d %H:%M}"


class WhatsAppFailureTally(_Tally):
    """Why messages failed, by the provider's code and by our template."""

    error_class = models.CharField(max_length=30, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    template = models.BigIntegerField()
    count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_failure_tally_per_hour",
                fields=["hour", "source_app", "error_class", "error_code", "template", "is_purged"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} × {self.error_class}, {self.source_app}, {self.hour:%Y-%m-%d %H:%M}"


class WhatsAppTimeTally(_Tally):
    """How long something took, all classes of times in one number: twelve digits each, the shortest last.

    PostgreSQL adds up numbers of any length, and no lists.
    """

    measure = models.CharField(max_length=10)  # tried, accepted, delivered
    histogram = HistogramField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_time_tally_per_hour", fields=["hour", "source_app", "measure", "is_purged"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.measure}, {self.source_app}, {self.hour:%Y-%m-%d %H:%M}"


class WhatsAppBacklog(models.Model):
    """How many wait now, whenever they were created: on their way, for a confirmation, or for a person (failed)."""

    source_app = models.CharField(max_length=40)
    state = models.CharField(max_length=20)
    error_class = models.CharField(max_length=30, blank=True)
    count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_backlog_per_state", fields=["source_app", "state", "error_class"])
        ]

    def __str__(self) -> str:
        return f"{self.count} × {self.state}, {self.source_app}"


class WhatsAppTallyChange(_Tally):
    """What a statement changed and was not added up yet: so many more, or fewer, messages in this state."""

    sender = models.BigIntegerField()
    message_type = models.CharField(max_length=60)
    category = models.CharField(max_length=60)
    state = models.CharField(max_length=20)  # a status, or "waiting" for those on their way
    pace = models.CharField(max_length=10, blank=True)  # prompt, tardy, untried; "" when cancelled before
    is_open = models.BooleanField()
    error_class = models.CharField(max_length=30, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    template = models.BigIntegerField()
    tried = models.SmallIntegerField(null=True)  # the classes of its times
    accepted = models.SmallIntegerField(null=True)
    delivered = models.SmallIntegerField(null=True)
    count = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.count:+} × {self.state}, {self.source_app}, {self.hour:%Y-%m-%d %H:%M}"
