"""Pages about the signed-in user's own account."""

from portal.accounts.views.device import device
from portal.accounts.views.sessions import session_end, sessions, sessions_end
from portal.accounts.views.sign_in import development_sign_in
from portal.accounts.views.tokens import (
    command_lines_end,
    token_revoke,
    token_rotate,
    tokens,
)

__all__ = [
    "command_lines_end",
    "development_sign_in",
    "device",
    "session_end",
    "sessions",
    "sessions_end",
    "token_revoke",
    "token_rotate",
    "tokens",
]
