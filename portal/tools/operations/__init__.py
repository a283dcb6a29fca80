"""What people and programs may ask of tools; HTML and REST call these.

Each writes its row in the history in the same transaction.
"""

from portal.tools.audit import record_event, redactor_for
from portal.tools.operations.people import add_member, remove_member
from portal.tools.operations.refusals import StaleVersion, ToolRefused
from portal.tools.operations.tools import EDITABLE, edit_tool, register_tool, set_status
from portal.tools.operations.variables import (
    Variable,
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
    "StaleVersion",
    "ToolRefused",
    "Variable",
    "add_member",
    "delete_variable",
    "edit_tool",
    "record_event",
    "redactor_for",
    "seal",
    "secret_in",
    "shows_secret",
    "unseal",
    "register_tool",
    "remove_member",
    "set_status",
    "set_variable",
    "variables_for",
]
