"""A person's grant: the token with which the wiki can be asked about them, encrypted at rest."""

from dataclasses import dataclass
from datetime import datetime

from allauth.socialaccount.models import SocialToken

from portal.encryption import decrypt, encrypt


@dataclass(frozen=True)
class Grant:
    """`secret` is the refresh token with OAuth 2, whose grants alone have an end."""

    key: str
    secret: str
    expires_at: datetime | None = None

    @classmethod
    def opened(cls, token: SocialToken) -> "Grant":
        """Raises cryptography's InvalidToken when the installation's keys do not fit."""
        secret = decrypt(token.token_secret.encode()) if token.token_secret else ""
        return cls(decrypt(token.token.encode()), secret, token.expires_at)

    def seal(self, token: SocialToken) -> SocialToken:
        """Put it into a row, which the caller saves."""
        token.token = encrypt(self.key).decode()
        token.token_secret = encrypt(self.secret).decode() if self.secret else ""
        token.expires_at = self.expires_at
        return token
