"""Text that is encrypted in the database, and nowhere else.

The keys are settings.WHATSAPP_TOKEN_KEYS, newest first: the first one encrypts, all of them decrypt.
"""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    EncryptedTextBase = models.TextField[str, str]
else:
    EncryptedTextBase = models.TextField


def _cipher() -> MultiFernet:
    digests = (hashlib.sha256(key.encode()).digest() for key in settings.WHATSAPP_TOKEN_KEYS)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


class EncryptedTextField(EncryptedTextBase):
    """A text whose stored form is a Fernet token. Reading raises cryptography.fernet.InvalidToken without its key."""

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return _cipher().encrypt(text.encode()).decode() if text else text

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return _cipher().decrypt(value.encode()).decode() if value else value
