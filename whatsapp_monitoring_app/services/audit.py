"""Who did what, for whoever has to know later."""

from datetime import datetime
from typing import Any

from accounts.models import User
from whatsapp_monitoring_app.models import Action, WhatsAppAuditEntry
from whatsapp_monitoring_app.scopes import Scope


def note(
    action: Action, person: User, scope: Scope, at: datetime, *, target: Any = "", detail: str = ""
) -> WhatsAppAuditEntry:
    """Write down, in the caller's transaction, that this person did this in this office.

    `target` is the code or the name of what it was done to. No text of a message, number or token belongs here.
    """
    return WhatsAppAuditEntry.objects.create(
        at=at, source_app=scope.office, actor=person, action=action, target=str(target)[:120], detail=detail[:300]
    )
