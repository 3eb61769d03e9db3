"""Where everything is: the metadata document (AuthZEN section 9) and the OpenAPI description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from governance.api.problems import Problem

if TYPE_CHECKING:
    from governance.api.authzen.messages import Request
    from governance.api.authzen.services import Services

EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
SEARCH_SUBJECT = "/access/v1/search/subject"
SEARCH_RESOURCE = "/access/v1/search/resource"
SEARCH_ACTION = "/access/v1/search/action"
CONFIGURATION = "/.well-known/authzen-configuration"
OPENAPI = "/api/v1/openapi.json"

_HOST = re.compile(r"https?://[A-Za-z0-9.\-_\[\]:]{1,255}")


def configuration(request: Request, services: Services) -> dict[str, Any]:
    """``GET /.well-known/authzen-configuration``."""
    point = services.address(request)
    if not _HOST.fullmatch(point) and point != services.public_url:
        raise Problem(400, "The Host header is malformed.")
    return {
        "policy_decision_point": point,
        "access_evaluation_endpoint": point + EVALUATION,
        "access_evaluations_endpoint": point + EVALUATIONS,
        "search_subject_endpoint": point + SEARCH_SUBJECT,
        "search_resource_endpoint": point + SEARCH_RESOURCE,
        "search_action_endpoint": point + SEARCH_ACTION,
    }


def openapi(request: Request, services: Services) -> dict[str, Any]:
    """``GET /api/v1/openapi.json``: OpenAPI 3.1."""
    from governance.api.authzen.openapi import DOCUMENT

    return DOCUMENT
