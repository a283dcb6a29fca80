"""What people and programs may ask of tools; HTML and REST call these.

Each writes its row in the history in the same transaction.
"""

from portal.tools.audit import record_event, redactor_for
from portal.tools.operations.adopting import (
    agree,
    ask_to_adopt,
    grant_adoption,
    object_to,
    refuse_adoption,
    withdraw_adoption,
)
from portal.tools.operations.importing import (
    TOOLINFO_LIMIT,
    Preview,
    fetch_toolinfo,
    import_toolinfo,
    preview_import,
)
from portal.tools.operations.people import (
    accept_invitation,
    change_role,
    decline_invitation,
    invite,
    remove_member,
    withdraw_invitation,
)
from portal.tools.operations.refusals import StaleVersion, ToolRefused
from portal.tools.operations.tools import EDITABLE, edit_tool, register_tool, set_status
from portal.tools.operations.variables import (
    Variable,
    check_variable,
    delete_variable,
    seal,
    secret_in,
    set_variable,
    shows_secret,
    unseal,
    variables_for,
)

__all__ = [
    "EDITABLE",
    "TOOLINFO_LIMIT",
    "Preview",
    "StaleVersion",
    "ToolRefused",
    "Variable",
    "accept_invitation",
    "agree",
    "ask_to_adopt",
    "change_role",
    "check_variable",
    "decline_invitation",
    "delete_variable",
    "edit_tool",
    "fetch_toolinfo",
    "grant_adoption",
    "import_toolinfo",
    "invite",
    "object_to",
    "preview_import",
    "record_event",
    "redactor_for",
    "refuse_adoption",
    "register_tool",
    "remove_member",
    "seal",
    "secret_in",
    "set_status",
    "set_variable",
    "shows_secret",
    "unseal",
    "variables_for",
    "withdraw_adoption",
    "withdraw_invitation",
]
