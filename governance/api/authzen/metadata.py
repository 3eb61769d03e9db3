"""Where everything is: the metadata document (AuthZEN section 9) and the OpenAPI description."""

from __future__ import annotations

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


def configuration(request: Request, services: Services) -> dict[str, Any]:
    """``GET /.well-known/authzen-configuration``."""
    point = services.address(request)
    if not point:
        raise Problem(400, "The Host header names no host of this service.")
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
    from governance.api.openapi import DOCUMENT

    return DOCUMENT
