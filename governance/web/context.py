"""What the frame of every page shows: navigation by rights, what waits, the run that is going on."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject


def shell(request: HttpRequest) -> dict[str, Any]:
    """Lazy, so that pages without the frame cost nothing."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    from governance.web import navigation

    rights = user.rights()
    return {
        "nav": SimpleLazyObject(lambda: navigation.build(request)),
        "live_run": SimpleLazyObject(lambda: navigation.live_run(user)),
        "rights": rights,
        "exact": "view_covered" in rights,  # whether small counts are shown as they are
    }
