"""Writing exception requests, waivers and licences."""

from governance.waivers.services.accepting import accept_conditions, decline_conditions
from governance.waivers.services.break_glass import (
    break_glass,
    confirm_break_glass,
    review_break_glass,
    tell_overdue_reviews,
)
from governance.waivers.services.drafts import (
    MOST_PEOPLE,
    ask,
    decline,
    delete_draft,
    draft_to_go_on_with,
    mark_filed,
    save_draft,
    settle_asks,
    take_back,
)
from governance.waivers.services.editing import edit_exception
from governance.waivers.services.ending import remind_ending, revoke_waiver, settle_waivers
from governance.waivers.services.exceptions import decide_exception, file_exception, withdraw_exception
from governance.waivers.services.opening import close_misfits, open_waiting, register_licences
from governance.waivers.services.requests import NOT_YOURS, lock
from governance.waivers.services.time import pass_time

__all__ = [
    "MOST_PEOPLE",
    "NOT_YOURS",
    "accept_conditions",
    "ask",
    "break_glass",
    "close_misfits",
    "confirm_break_glass",
    "decide_exception",
    "decline",
    "decline_conditions",
    "delete_draft",
    "draft_to_go_on_with",
    "edit_exception",
    "file_exception",
    "lock",
    "mark_filed",
    "open_waiting",
    "pass_time",
    "register_licences",
    "remind_ending",
    "review_break_glass",
    "revoke_waiver",
    "save_draft",
    "settle_asks",
    "settle_waivers",
    "take_back",
    "tell_overdue_reviews",
    "withdraw_exception",
]
