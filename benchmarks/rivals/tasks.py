"""One task per message, as a first version is usually written."""

import requests
from celery import shared_task
from django.utils import timezone

from benchmarks.rivals import calls
from benchmarks.rivals.models import Attempt, Message


@shared_task
def send(pk: int) -> None:
    message = Message.objects.get(pk=pk)
    message.status = Message.SENDING
    message.attempts += 1
    message.save()
    body = calls.body_of(message.phone_number, message.text)
    answer = requests.post(calls.address(), json=body, headers=calls.HEADERS, timeout=30)
    Attempt.objects.create(message=message, http_status=answer.status_code, answer=answer.text)
    answer.raise_for_status()
    message.provider_message_id = answer.json()["messages"][0]["id"]
    message.status = Message.SENT
    message.sent_at = timezone.now()
    message.save()
