"""Values that are encrypted at rest."""

import base64
import hashlib

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def _keys() -> MultiFernet:
    digests = [hashlib.sha256(key.encode()).digest() for key in settings.ENCRYPTION_KEYS]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def encrypt(value: str) -> bytes:
    return _keys().encrypt(value.encode("utf-8", "surrogatepass"))


def decrypt(token: bytes) -> str:
    """Raises cryptography's InvalidToken when none of the installation's keys fits."""
    return _keys().decrypt(token).decode("utf-8", "surrogatepass")
