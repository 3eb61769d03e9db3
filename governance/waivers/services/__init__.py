"""Writing exception requests, waivers and licences."""

from governance.waivers.services.accepting import accept_conditions
from governance.waivers.services.break_glass import (
    CONFIRM_WITHIN,
    break_glass,
    confirm_break_glass,
    review_break_glass,
    tell_overdue_reviews,
)
from governance.waivers.services.ending import remind_ending, revoke_waiver, settle_waivers
from governance.waivers.services.exceptions import decide_exception, file_exception, withdraw_exception
from governance.waivers.services.opening import close_misfits, open_waiting, register_licences
from governance.waivers.services.requests import DEFAULT_DAYS, MAX_DAYS, MAX_DAYS_TIER_4

__all__ = [
    "CONFIRM_WITHIN",
    "DEFAULT_DAYS",
    "MAX_DAYS",
    "MAX_DAYS_TIER_4",
    "accept_conditions",
    "break_glass",
    "close_misfits",
    "confirm_break_glass",
    "decide_exception",
    "file_exception",
    "open_waiting",
    "register_licences",
    "remind_ending",
    "review_break_glass",
    "revoke_waiver",
    "settle_waivers",
    "tell_overdue_reviews",
    "withdraw_exception",
]
