"""What people, programs and the platform may do to records; HTML and REST call these."""

from stories.operations.ending import delete_record, merge_into
from stories.operations.linking import add_link, confirm_link, link_type, make_link, remove_link
from stories.operations.meeting import carried_over, edited_notes, open_topic, write_minute
from stories.operations.moving import move, possible_moves, reconfirm
from stories.operations.saving import (
    Change,
    Conflict,
    NotAllowed,
    Refused,
    Stale,
    TargetMoved,
    save,
)
from stories.operations.talking import (
    add_comment,
    approve_if_due,
    mark_read,
    resolve_comment,
    review,
    support,
    watch,
    watch_level,
    withdraw_support,
)
from stories.operations.viewing import change_view, delete_view, save_view
from stories.operations.writing import (
    Origin,
    Saved,
    check_quote,
    create_record,
    edit_record,
    name_baseline,
    patrol,
    restore,
    suppress,
)

__all__ = [
    "Change",
    "Conflict",
    "NotAllowed",
    "Origin",
    "Refused",
    "Saved",
    "Stale",
    "TargetMoved",
    "add_comment",
    "add_link",
    "approve_if_due",
    "carried_over",
    "change_view",
    "check_quote",
    "confirm_link",
    "create_record",
    "delete_record",
    "delete_view",
    "edit_record",
    "edited_notes",
    "link_type",
    "make_link",
    "mark_read",
    "merge_into",
    "move",
    "name_baseline",
    "open_topic",
    "patrol",
    "possible_moves",
    "reconfirm",
    "remove_link",
    "resolve_comment",
    "restore",
    "review",
    "save",
    "save_view",
    "support",
    "suppress",
    "watch",
    "watch_level",
    "withdraw_support",
    "write_minute",
]
