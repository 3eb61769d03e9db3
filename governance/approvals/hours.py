"""When something is due: in hours, or in business hours.

Business is from 09:00 to 17:00, Monday to Friday, in ``settings.TIME_ZONE``.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

OPENS, CLOSES = time(9), time(17)
_SATURDAY = 5


def after(start: datetime, hours: float, *, business: bool) -> datetime:
    """The moment ``hours`` after ``start``, an aware time; with ``business`` only hours of business count."""
    if not business:
        return start + timedelta(hours=hours)
    zone = ZoneInfo(settings.TIME_ZONE)
    moment, left = start.astimezone(zone), timedelta(hours=hours)
    while True:
        opens = moment.replace(hour=OPENS.hour, minute=0, second=0, microsecond=0)
        closes = moment.replace(hour=CLOSES.hour, minute=0, second=0, microsecond=0)
        moment = max(moment, opens)
        if moment.weekday() < _SATURDAY and moment < closes:
            if left <= closes - moment:
                return (moment + left).astimezone(start.tzinfo)
            left -= closes - moment
        moment = (opens + timedelta(days=1)).replace(hour=OPENS.hour)
