"""The OpenAPI 3.1 description of the decision API. Tests hold it against the running product."""

from __future__ import annotations

from typing import Any

from governance.api.authzen import metadata

_TEXT = {"type": "string", "minLength": 1}
_PROPERTIES = {"type": "object", "description": "Carried along; what is on record always counts instead."}
_EPOCH = {
    "type": "integer",
    "description": "The policy epoch: moves with every change of directives, catalog and tokens.",
}


def _entity(about: str, *required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "description": about,
        "required": list(required),
        "properties": properties | {"properties": {"$ref": "#/components/schemas/Properties"}},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_ENTITIES = ("subject", "action", "resource", "context")
_SCHEMAS: dict[str, Any] = {
    "Properties": _PROPERTIES,
    "Subject": _entity("A person.", "type", "id", type=_TEXT | {"examples": ["person"]}, id=_TEXT),
    "Resource": _entity("A model.", "type", "id", type=_TEXT | {"examples": ["model"]}, id=_TEXT),
    "Action": _entity("A capability.", "name", name=_TEXT),
    "SubjectType": _entity("What is searched for; an id is ignored.", "type", type=_TEXT),
    "ResourceType": _entity("What is searched for; an id is ignored.", "type", type=_TEXT),
    "Context": {
        "type": "object",
        "properties": {
            "min_epoch": {
                "type": "integer",
                "description": "A policy epoch the caller has seen. A node that is behind answers 503.",
            },
            "at": {"type": "null", "description": "A past moment; refused until history is kept."},
        },
    },
    "Evaluation": {
        "type": "object",
        "required": ["subject", "action", "resource"],
        "properties": {
            "subject": _ref("Subject"), "action": _ref("Action"), "resource": _ref("Resource"), "context": _ref("Context"),
        },
    },
    "Evaluations": {
        "type": "object",
        "description": "Top-level entities are defaults; an item replaces one whole. Without items, one evaluation.",
        "properties": {
            **{name: {"description": "Looked at where an item leaves it out."} for name in _ENTITIES},
            "evaluations": {
                "type": "array", "minItems": 1, "description": "At most 1,000; more are 413.",
                "items": {"description": "An evaluation. Anything else is a denial with an error of its own."},
            },
            "options": {
                "type": "object",
                "properties": {
                    "evaluations_semantic": {
                        "enum": ["execute_all", "deny_on_first_deny", "permit_on_first_permit"], "default": "execute_all",
                    },
                },
            },
        },
        "required": ["evaluations"],
    },
    "Reason": {
        "type": "object",
        "required": ["code", "directives"],
        "properties": {
            "code": {
                "enum": [
                    "audience", "grant", "waiver", "unknown_subject", "unknown_resource", "unknown_action",
                    "capability_disabled", "outside_audience", "paused", "directive", "directive_unknown",
                ],
            },
            "directives": {"type": "array", "items": {"type": "string"}},
            "help_url": {
                "type": "string", "format": "uri-reference",
                "description": "With a denial. Without a host where the caller named none of this service.",
            },
            "summary": {"type": "string", "description": "With scope explain."},
            "next_steps": {"type": "array", "items": {"type": "string"}, "description": "With scope explain."},
            "trace": {
                "type": "object",
                "description": "With scope explain: truth values, never attribute values; waivers and grants looked at. A"
                " rule is null when the time for the explanations of a request was over.",
            },
        },
    },
    "Decision": {
        "type": "object",
        "required": ["decision"],
        "properties": {
            "decision": {"type": "boolean"},
            "context": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "reason": _ref("Reason"),
                    "policy_epoch": _EPOCH,
                    "evaluated_at": {"type": "string", "format": "date-time"},
                    "error": {
                        "type": "object",
                        "required": ["status", "message"],
                        "properties": {"status": {"type": "integer"}, "message": {"type": "string"}},
                    },
                },
            },
        },
    },
    "Decisions": {
        "type": "object",
        "properties": {"evaluations": {"type": "array", "items": _ref("Decision")}},
        "required": ["evaluations"],
    },
    "Page": {
        "type": "object",
        "properties": {
            "token": {"type": "string", "description": "next_token of the page before."},
            "limit": {"type": "integer", "minimum": 0, "description": "At most 10,000 are given; 1,000 if not said."},
            "properties": {"type": "object"},
        },
    },
    "Results": {
        "type": "object",
        "required": ["page", "results"],
        "properties": {
            "page": {
                "type": "object",
                "required": ["next_token"],
                "properties": {
                    "next_token": {"type": "string", "description": "Empty at the end."}, "count": {"type": "integer"},
                },
            },
            "context": {"type": "object", "properties": {"policy_epoch": _EPOCH, "changed_since_epoch": _EPOCH}},
            "results": {"type": "array", "items": {"type": "object"}},
        },
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
            "detail": {"type": "string"}, "request_id": {"type": "string"},
        },
    },
}  # fmt: skip


def _search(**entities: str) -> dict[str, Any]:
    properties = {name: _ref(schema) for name, schema in entities.items()}
    return {
        "type": "object",
        "required": list(entities),
        "properties": properties | {"context": _ref("Context"), "page": _ref("Page")},
    }


_REQUEST_ID = {"X-Request-ID": {"schema": {"type": "string"}, "description": "The caller's, or one of ours."}}
_PROBLEMS = {
    "400": "Malformed, or the wrong content type.",
    "401": "No token, or one that is not ours or was revoked.",
    "403": "The token lacks the scope.",
    "413": "Too large.",
    "503": "cannot_decide: treat this as a denial, and ask again after Retry-After seconds.",
}


def _problem(about: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {"description": about, "headers": _REQUEST_ID, "content": content}


def _post(summary: str, scope: str, request: dict[str, Any], response: str) -> dict[str, Any]:
    answer = {"description": "Denials are 200.", "headers": _REQUEST_ID}
    return {
        "post": {
            "summary": summary,
            "operationId": summary.lower().replace(" ", "_"),
            "description": f"Needs a token with scope `{scope}`.",
            "parameters": [
                {
                    "name": "X-Request-ID",
                    "in": "header",
                    "schema": {"type": "string"},
                    "description": "Echoed: up to 500 printable ASCII characters. Of any other, one of ours is given.",
                }
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
            "responses": {"200": answer | {"content": {"application/json": {"schema": _ref(response)}}}}
            | {code: _problem(about) for code, about in _PROBLEMS.items()},
        }
    }


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Portcullis API",
        "version": "1.0",
        "description": "OpenID AuthZEN Authorization API 1.0: may this person use this capability of this model, now?",
    },
    "security": [{"token": []}],
    "paths": {
        metadata.EVALUATION: _post("Evaluate", "decide", _ref("Evaluation"), "Decision"),
        metadata.EVALUATIONS: _post("Evaluate many", "decide", _ref("Evaluations"), "Decisions"),
        metadata.SEARCH_SUBJECT: _post(
            "Search people", "search", _search(subject="SubjectType", resource="Resource", action="Action"), "Results"
        ),
        metadata.SEARCH_RESOURCE: _post(
            "Search models", "search", _search(subject="Subject", resource="ResourceType", action="Action"), "Results"
        ),
        metadata.SEARCH_ACTION: _post(
            "Search capabilities", "search", _search(subject="Subject", resource="Resource"), "Results"
        ),
        metadata.CONFIGURATION: {
            "get": {
                "summary": "Metadata",
                "operationId": "metadata",
                "security": [],
                "responses": {
                    "200": {
                        "description": "Where everything is.",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["policy_decision_point", "access_evaluation_endpoint"],
                                    "additionalProperties": {"type": "string"},
                                }
                            }
                        },
                    },
                    "400": _problem("The Host header is malformed."),
                },
            }
        },
    },
    "components": {
        "schemas": _SCHEMAS,
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    },
}
