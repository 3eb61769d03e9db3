"""The part of the OpenAPI description that is for people's own programs. Tests hold it against the running product."""

from __future__ import annotations

from typing import Any

from governance.accounts.models import Reach
from governance.api.people.openapi import accounts, approvals, drafts, exceptions, held, waivers

_PARTS = (approvals, exceptions, drafts, waivers, accounts, held)
SCHEMAS: dict[str, Any] = {name: schema for part in _PARTS for name, schema in part.SCHEMAS.items()}
PATHS: dict[str, Any] = {path: operations for part in _PARTS for path, operations in part.PATHS.items()}
SECURITY_SCHEMES = {
    "personal": {
        "type": "http", "scheme": "bearer",
        "description": f"A personal token (`pcp_…`). To change something it needs the reach `{Reach.ACT}`.",
    },
}  # fmt: skip
