"""Writing exception requests, waivers and licences."""

from governance.waivers.services.exceptions import decide_exception, file_exception, withdraw_exception
from governance.waivers.services.opening import close_misfits, end_waivers, open_waiting, register_licences
from governance.waivers.services.requests import DEFAULT_DAYS, MAX_DAYS, MAX_DAYS_TIER_4
from governance.waivers.services.time import pass_time

__all__ = [
    "DEFAULT_DAYS",
    "MAX_DAYS",
    "MAX_DAYS_TIER_4",
    "close_misfits",
    "decide_exception",
    "end_waivers",
    "file_exception",
    "open_waiting",
    "pass_time",
    "register_licences",
    "withdraw_exception",
]
