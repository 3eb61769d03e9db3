"""What the descriptions of all endpoints are made of."""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
ID: dict[str, Any] = {"type": "integer", "minimum": 1}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
KEY: dict[str, Any] = {"type": "string", "format": "uuid"}
YES: dict[str, Any] = {"type": "boolean"}
_PROBLEMS = {
    "400": "Malformed, or the wrong content type.",
    "401": "No personal token, or one that has ended. In a browser a session serves, with X-CSRFToken where something changes.",
    "403": "The account may not do this, or the token reads only.",
    "404": "It does not exist, or the account may not see it.",
    "409": "It is not in a state that allows this any more.",
    "413": "Too large.",
    "422": "Not acceptable; `errors` names the fields.",
}
_LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}}
WINDOW = [
    _LIMIT,
    {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}},
]
LIMIT = [_LIMIT]
_IN_PATH: dict[str, dict[str, Any]] = {
    "id": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    "key": KEY,
    "of": {"enum": ["people", "organisations"]},
    "kind": {"enum": ["directives", "models", "organisations"]},
    "name": TEXT | {"minLength": 1, "maxLength": 100},
}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def record(about: str = "", *, optional: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """An object. A member whose name Python keeps for itself is given with an underscore after it."""
    required = [name.rstrip("_") for name in properties if name not in optional]
    named = {name.rstrip("_"): schema for name, schema in properties.items()}
    return {"type": "object", "required": required, "properties": named} | ({"description": about} if about else {})


def many(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(name: str, item: dict[str, Any], after: dict[str, Any] = ID) -> dict[str, Any]:
    """One page of a list."""
    page: dict[str, Any] = {
        name: many(item),
        "next": or_null(after) | {"description": "The `after` of the page that follows."},
    }
    return record(**page)


def after_key(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The window of a list whose rows have keys."""
    return [_LIMIT, {"name": "after", "in": "query", "schema": schema}]


def chosen(name: str, words: tuple[str, ...]) -> dict[str, Any]:
    """A query parameter that is one of a few words."""
    return {"name": name, "in": "query", "schema": {"enum": list(words)}}


def operation(
    name: str, summary: str, answer: str, *, status: str = "200", sent: str = "", parameters: Any = ()
) -> dict[str, Any]:
    """One operation; ``answer`` and ``sent`` name schemas. Without an ``answer`` it is 204."""
    problem = {"application/problem+json": {"schema": ref("Refusal")}}
    done: dict[str, Any] = (
        {status: {"description": "Done.", "content": {"application/json": {"schema": ref(answer)}}}}
        if answer
        else {"204": {"description": "Done."}}
    )
    made = {
        "summary": summary,
        "operationId": name,
        "security": [{"personal": []}],
        "responses": done | {code: {"description": about, "content": problem} for code, about in _PROBLEMS.items()},
    }
    if parameters:
        made["parameters"] = list(parameters)
    if sent:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(sent)}}}
    return made


def of_one(*names: str, **operations: Any) -> dict[str, Any]:
    """The operations of an address, with its parameters."""
    parameters = [{"name": name, "in": "path", "required": True, "schema": _IN_PATH[name]} for name in names]
    return {"parameters": parameters, **operations}
