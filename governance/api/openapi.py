"""``/api/v1/openapi.json``: the decision API, and approvals and exceptions for people's own programs, in one OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from governance.api.authzen import openapi as decisions
from governance.api.people import openapi as people

_COMPONENTS = decisions.DOCUMENT["components"]
DOCUMENT: dict[str, Any] = decisions.DOCUMENT | {
    "paths": decisions.DOCUMENT["paths"] | people.PATHS,
    "components": {
        "schemas": _COMPONENTS["schemas"] | people.SCHEMAS,
        "securitySchemes": _COMPONENTS["securitySchemes"] | people.SECURITY_SCHEMES,
    },
}
