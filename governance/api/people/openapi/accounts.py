"""Delegations, notifications, permissions on one object."""

from __future__ import annotations

from typing import Any

from governance.api.people.accounts import UNREAD
from governance.api.people.openapi.parts import (
    COUNT,
    ID,
    TEXT,
    TIME,
    WINDOW,
    YES,
    chosen,
    listed,
    many,
    of_one,
    operation,
    or_null,
    record,
    ref,
)
from governance.notifications.models import Kind

_NOTIFICATION = record(id=ID, kind={"enum": Kind.values}, subject=TEXT, title=TEXT, at=TIME, read_at=or_null(TIME))
_TOLD = listed("notifications", _NOTIFICATION)
SCHEMAS: dict[str, Any] = {
    "Delegation": record(
        id=ID, principal=TEXT, delegate=TEXT, starts_at=TIME, ends_at=TIME, reason=TEXT, revoked_at=or_null(TIME), over=YES
    ),
    "Delegations": listed("delegations", ref("Delegation")),
    "Delegating": record(
        optional=("starts_at",), delegate=TEXT | {"description": "The name of an account."}, starts_at=TIME, ends_at=TIME,
        reason=TEXT | {"minLength": 1, "maxLength": 200},
    ),
    "Notifications": _TOLD | {
        "required": [*_TOLD["required"], "unread"], "properties": _TOLD["properties"] | {"unread": COUNT},
    },
    "Read": record(read=COUNT),
    "Permissions": record(
        kind=TEXT, key=TEXT, offered=many(TEXT),
        given=many(record(permission=TEXT, to={"enum": ["account", "role"]}, name=TEXT)),
    ),
    "Permission": record("To an account or a role, one of both.", optional=("account", "role"), permission=TEXT, account=TEXT, role=TEXT),
}  # fmt: skip
PATHS: dict[str, Any] = {
    "/api/v1/delegations": {
        "get": operation("delegations", "Those one gave or holds", "Delegations", parameters=WINDOW),
        "post": operation("delegate", "Let somebody decide for oneself", "Delegation", status="201", sent="Delegating"),
    },
    "/api/v1/delegations/{id}/revoke": of_one("id", post=operation("revoke_delegation", "End it at once", "Delegation")),
    "/api/v1/notifications": {
        "get": operation("notifications", "What one was told of", "Notifications", parameters=[*WINDOW, chosen("only", UNREAD)]),
    },
    "/api/v1/notifications/read": {"post": operation("read_notifications", "All of it is read", "Read")},
    "/api/v1/objects/{kind}/{name}/permissions": of_one(
        "kind", "name",
        get=operation("permissions", "What is given on one object", "Permissions"),
        post=operation("give_permission", "Give a permission on it", "Permissions", status="201", sent="Permission"),
    ),
    "/api/v1/objects/{kind}/{name}/permissions/take": of_one(
        "kind", "name", post=operation("take_permission", "Take a permission on it away", "Permissions", sent="Permission")
    ),
}  # fmt: skip
