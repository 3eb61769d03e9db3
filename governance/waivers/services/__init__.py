"""Writing exception requests, waivers and licences."""

from governance.waivers.services.drafts import (
    MOST_PEOPLE,
    ask,
    decline,
    delete_draft,
    mark_filed,
    save_draft,
    settle_asks,
    take_back,
)
from governance.waivers.services.editing import edit_exception
from governance.waivers.services.exceptions import decide_exception, file_exception, withdraw_exception
from governance.waivers.services.opening import close_misfits, end_waivers, open_waiting, register_licences
from governance.waivers.services.requests import DEFAULT_DAYS, MAX_DAYS, MAX_DAYS_TIER_4, NOT_YOURS, lock
from governance.waivers.services.time import pass_time

__all__ = [
    "DEFAULT_DAYS",
    "MAX_DAYS",
    "MAX_DAYS_TIER_4",
    "MOST_PEOPLE",
    "NOT_YOURS",
    "ask",
    "close_misfits",
    "decide_exception",
    "decline",
    "delete_draft",
    "edit_exception",
    "end_waivers",
    "file_exception",
    "lock",
    "mark_filed",
    "open_waiting",
    "pass_time",
    "register_licences",
    "save_draft",
    "settle_asks",
    "take_back",
    "withdraw_exception",
]
