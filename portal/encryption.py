"""Values that are encrypted at rest."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


def _each_key() -> list[Fernet]:
    digests = [hashlib.sha256(key.encode()).digest() for key in settings.ENCRYPTION_KEYS]
    return [Fernet(base64.urlsafe_b64encode(digest)) for digest in digests]


def _keys() -> MultiFernet:
    return MultiFernet(_each_key())


def encrypt(value: str) -> bytes:
    return _keys().encrypt(value.encode("utf-8", "surrogatepass"))


def decrypt(token: bytes) -> str:
    """Raises cryptography's InvalidToken when none of the installation's keys fits."""
    return _keys().decrypt(token).decode("utf-8", "surrogatepass")


def is_current(token: bytes) -> bool:
    """Whether the first of the installation's keys made it, so that the others may go."""
    try:
        _each_key()[0].decrypt(token)
    except InvalidToken:
        return False
    return True


def rotate(token: bytes) -> bytes:
    """The same value under the first key. Raises cryptography's InvalidToken when none fits."""
    return _keys().rotate(token)
