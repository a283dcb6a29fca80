"""Values that are encrypted at rest; accounts need them too, so it is done below both."""

from portal.encryption import decrypt, encrypt

__all__ = ["decrypt", "encrypt"]
