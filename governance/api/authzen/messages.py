"""What comes over the wire: the request, its token, its JSON, and the entities of AuthZEN (sections 5 and 6)."""

from __future__ import annotations

import hashlib
import json
import re
from random import getrandbits
from typing import Any, NamedTuple

import orjson

from governance.api.problems import Problem, cannot_decide
from governance.enforcement import policy as policies
from governance.enforcement.policy import Client, Policy
from governance.enforcement.sources import Source
from governance.values import typed_number

_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,500}")
_SPACE = b" \t\r\n"
MAX_BODY = 64 * 1024


class Request:
    """One HTTP request, read from its WSGI environment."""

    __slots__ = ("_digest", "environ", "given_id", "request_id")

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        given = environ.get("HTTP_X_REQUEST_ID")
        self.given_id = given if given and _REQUEST_ID.fullmatch(given) else ""
        self.request_id = self.given_id or f"{getrandbits(128):032x}"
        self._digest = ""

    @property
    def address(self) -> str:
        """Scheme and host as the caller sees them."""
        host = self.environ.get("HTTP_HOST") or self.environ.get("SERVER_NAME", "")
        return f"{self.environ.get('wsgi.url_scheme', 'http')}://{host}"

    def authenticate(self, scope: str, source: Source) -> Client:
        """The client of the request's token, if the token has the scope. Problems 401 and 403 otherwise.

        Tokens are part of the compiled policy, so a known one costs no query; ``confirm`` holds it against the policy that
        decided, so that a revocation counts from its commit.
        """
        scheme, _, token = self.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorised()
        self._digest = hashlib.sha256(token.strip().encode("latin-1", "replace")).hexdigest()
        client = policies.current(source=source).clients.get(self._digest)
        if client is None:
            client = policies.refreshed(source).clients.get(self._digest)
        return _with_scope(client, scope)

    def confirm(self, client: Client, scope: str, policy: Policy) -> Client:
        """The same client under the policy that decided; a token revoked meanwhile is refused."""
        now = policy.clients.get(self._digest)
        return client if now is client else _with_scope(now, scope)

    def document(self, limit: int = MAX_BODY) -> dict[str, Any]:
        """The body as a JSON object. Whatever is wrong with it is 400 (413 when it is too large), never 500."""
        kind = self.environ.get("CONTENT_TYPE", "")
        if kind != "application/json" and kind.partition(";")[0].strip().lower() != "application/json":
            raise Problem(400, "Content-Type must be application/json.")
        document = parse(self._body(limit))
        if not isinstance(document, dict):
            raise Problem(400, "The body must be an object.")
        return document

    def _body(self, limit: int) -> bytes:
        length = typed_number(self.environ.get("CONTENT_LENGTH") or "")
        if length is not None and length > limit:
            raise Problem(413, f"The body is larger than {limit} bytes.")
        stream = self.environ["wsgi.input"]
        body: bytes = stream.read(limit + 1 if length is None else length)
        if len(body) > limit:
            raise Problem(413, f"The body is larger than {limit} bytes.")
        return body


def _unauthorised() -> Problem:
    return Problem(401, "A bearer token is needed.", headers={"WWW-Authenticate": 'Bearer realm="portcullis"'})


def _with_scope(client: Client | None, scope: str) -> Client:
    if client is None:
        raise _unauthorised()
    if scope not in client.scopes:
        raise Problem(403, f"The token lacks the scope {scope}.")
    return client


def parse(body: bytes) -> Any:
    """JSON as I-JSON has it (RFC 7493): unique names, finite numbers, well-formed text.

    The fast parser lets a name stand twice. A document that it writes again as it was has no such name; any other is
    read a second time by the strict one.
    """
    try:
        document = orjson.loads(body)
        if orjson.dumps(document).translate(None, _SPACE) != body.translate(None, _SPACE):
            json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, TypeError, RecursionError):
        raise Problem(400, "The body is not valid JSON.") from None
    return document


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


# -- entities ----------------------------------------------------------------------------------------------------------


class Question(NamedTuple):
    """One evaluation: may this person use this capability of this model? ``min_epoch``: a change the caller has seen."""

    person: str
    model: str
    capability: str
    min_epoch: int | None = None


def question(document: dict[str, Any]) -> Question:
    """Read an evaluation. An entity of another type than ours is nobody, or no model."""
    subject_type, subject_id = entity(document, "subject")
    resource_type, resource_id = entity(document, "resource")
    return Question(
        subject_id if subject_type == "person" else "",
        resource_id if resource_type == "model" else "",
        action(document),
        min_epoch(document) if "context" in document else None,
    )


def entity(document: dict[str, Any], name: str) -> tuple[str, str]:
    value = object_of(document, name)
    return text(value, name, "type"), text(value, name, "id")


def action(document: dict[str, Any]) -> str:
    return text(object_of(document, "action"), "action", "name")


def object_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    if type(value) is not dict:
        raise Problem(400, f"{name} is required and must be an object.")
    if "properties" in value and type(value["properties"]) is not dict:
        raise Problem(400, f"{name}.properties must be an object.")
    return value


def text(value: dict[str, Any], where: str, name: str) -> str:
    found = value.get(name)
    if type(found) is not str or not found:
        raise Problem(400, f"{where}.{name} is required and must be text.")
    # PostgreSQL takes no NUL character; nobody has such an id.
    return "" if "\x00" in found else found


def min_epoch(document: dict[str, Any]) -> int | None:
    """``context.min_epoch``, after the whole context was looked at."""
    context = document.get("context", {})
    if not isinstance(context, dict):
        raise Problem(400, "context must be an object.")
    if context.get("at") is not None:
        raise Problem(400, "context.at cannot be answered: history is not kept yet.")
    if "min_epoch" not in context:
        return None
    wanted = whole_number(context["min_epoch"])
    if wanted is None:
        raise Problem(400, "context.min_epoch must be a whole number.")
    return wanted


def whole_number(value: object) -> int | None:
    """A JSON number without a fraction (``5`` and ``5.0`` are the same number), else None."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def require_epoch(policy: Policy, wanted: int | None) -> None:
    """A client that has seen a change is never answered from before it."""
    if wanted is not None and policy.epoch < wanted:
        raise cannot_decide("This node has not seen that policy epoch yet.")
