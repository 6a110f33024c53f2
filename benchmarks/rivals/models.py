from typing import ClassVar

from django.db import models


class Message(models.Model):
    """A message as it is usually written down."""

    PENDING, SENDING, SENT, FAILED = "pending", "sending", "sent", "failed"

    phone_number = models.CharField(max_length=16)
    text = models.TextField()
    status = models.CharField(max_length=20, default=PENDING)
    attempts = models.PositiveIntegerField(default=0)
    provider_message_id = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    objects: ClassVar["models.Manager[Message]"] = models.Manager()

    class Meta:
        app_label = "rivals"

    def __str__(self) -> str:
        return self.phone_number


class Attempt(models.Model):
    """One call to the provider."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE)
    http_status = models.PositiveSmallIntegerField()
    answer = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar["models.Manager[Attempt]"] = models.Manager()

    class Meta:
        app_label = "rivals"

    def __str__(self) -> str:
        return f"{self.http_status}"
