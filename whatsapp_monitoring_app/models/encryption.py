"""Text that is encrypted in the database, and nowhere else.

The keys are settings.WHATSAPP_TOKEN_KEYS, newest first: the first one encrypts, all of them decrypt.
"""

import base64
import hashlib
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    EncryptedTextBase = models.TextField[str, str]
else:
    EncryptedTextBase = models.TextField


logger = logging.getLogger(__name__)


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    digests = (hashlib.sha256(key.encode()).digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


# A company has a handful of senders, and every message asks for their tokens.
@lru_cache(maxsize=64)
def _decrypted(value: str, keys: tuple[str, ...]) -> str:
    return _cipher(keys).decrypt(value.encode()).decode()


class EncryptedTextField(EncryptedTextBase):
    """A text whose stored form is a Fernet token. It reads as "" when no key opens it."""

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return _cipher(tuple(settings.WHATSAPP_TOKEN_KEYS)).encrypt(text.encode()).decode() if text else text

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        if not value:
            return value
        try:
            return _decrypted(value, tuple(settings.WHATSAPP_TOKEN_KEYS))
        except InvalidToken:
            # Its key was lost or changed. The row must still be readable, so that somebody can enter the text anew.
            logger.error("An encrypted text cannot be read with the keys in WHATSAPP_TOKEN_KEYS")
            return ""
