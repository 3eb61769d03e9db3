"""Waivers and break-glass."""

from __future__ import annotations

from typing import Any

from governance.api.people.openapi.parts import (
    ID,
    TEXT,
    TIME,
    WINDOW,
    chosen,
    listed,
    many,
    of_one,
    operation,
    or_null,
    record,
    ref,
)
from governance.api.people.waivers import BREAK_GLASS_STATES, STATES
from governance.waivers.models import Verdict

_WAIVER: dict[str, Any] = {
    "id": ID, "directive": TEXT, "person": TEXT, "items": many(ref("Item")), "exception": or_null(ID), "break_glass": or_null(ID),
    "licence": or_null(TEXT), "starts_at": TIME, "ends_at": TIME, "ended_at": or_null(TIME), "end_reason": TEXT,
}  # fmt: skip
_GLASS: dict[str, Any] = {
    "id": ID, "directive": TEXT, "person": TEXT, "hours": ID, "reason": TEXT, "content_digest": TEXT, "opened_by": TEXT,
    "opened_at": TIME, "confirmed_by": or_null(TEXT), "confirmed_at": or_null(TIME), "review_due": or_null(TIME),
    "reviewed_by": or_null(TEXT), "reviewed_at": or_null(TIME), "verdict": or_null({"enum": Verdict.values}), "review": TEXT,
    "waiver": or_null(ID),
}  # fmt: skip
SCHEMAS: dict[str, Any] = {
    "Waivers": listed("waivers", record(**_WAIVER)),
    "Waiver": record(**_WAIVER, conditions=many(TEXT), renewals=many(ID)),
    "Revoking": record(reason=TEXT | {"minLength": 1, "maxLength": 200}),
    "BreakGlassList": listed("break_glass", record(**_GLASS)),
    "BreakGlass": record(**_GLASS, items=many(ref("Item"))),
    "Breaking": record(
        directive=TEXT, person=TEXT, items=many(ref("Item")), reason=TEXT,
        hours={"type": "integer", "minimum": 1, "maximum": 4},
    ),
    "Confirming": record(content_digest=TEXT | {"description": "That of the break-glass as it was read."}),
    "Reviewing": record(verdict={"enum": Verdict.values}, review=TEXT | {"minLength": 1, "maxLength": 2_000}),
}  # fmt: skip
PATHS: dict[str, Any] = {
    "/api/v1/waivers": {
        "get": operation(
            "waivers", "Waivers that the account may see, newest first", "Waivers", parameters=[*WINDOW, chosen("state", STATES)]
        ),
    },
    "/api/v1/waivers/{id}": of_one("id", get=operation("waiver", "One waiver", "Waiver")),
    "/api/v1/waivers/{id}/revoke": of_one("id", post=operation("revoke_waiver", "End it at once", "Waiver", sent="Revoking")),
    "/api/v1/waivers/{id}/renew": of_one(
        "id", post=operation("renew_waiver", "A new exception that carries everything over", "Exception", status="201")
    ),
    "/api/v1/break-glass": {
        "get": operation(
            "break_glass_list", "What was opened without stages, or is asked for", "BreakGlassList",
            parameters=[*WINDOW, chosen("state", BREAK_GLASS_STATES)],
        ),
        "post": operation("break_glass", "The first of two asks", "BreakGlass", status="201", sent="Breaking"),
    },
    "/api/v1/break-glass/{id}": of_one("id", get=operation("break_glass_one", "One of them", "BreakGlass")),
    "/api/v1/break-glass/{id}/confirm": of_one(
        "id", post=operation("confirm_break_glass", "The second confirms: it opens", "BreakGlass", sent="Confirming")
    ),
    "/api/v1/break-glass/{id}/review": of_one(
        "id", post=operation("review_break_glass", "A third says whether it was needed", "BreakGlass", sent="Reviewing")
    ),
}  # fmt: skip
