"""The WSGI application of the decision API: routes, problems, request ids. No session, no cookie, no template."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from governance.api.authzen import evaluation, metadata, search
from governance.api.authzen.messages import Request
from governance.api.authzen.services import Services
from governance.api.problems import Problem, cannot_decide
from governance.enforcement import metrics
from governance.enforcement.sources import CannotDecide

log = logging.getLogger(__name__)
Handler = Callable[[Request, Services], dict[str, Any]]
StartResponse = Callable[..., Any]

POSTS: dict[str, Handler] = {
    metadata.EVALUATION: evaluation.evaluation,
    metadata.EVALUATIONS: evaluation.evaluations,
    metadata.SEARCH_SUBJECT: search.subjects,
    metadata.SEARCH_RESOURCE: search.resources,
    metadata.SEARCH_ACTION: search.actions,
}
GETS: dict[str, Handler] = {
    metadata.CONFIGURATION: metadata.configuration,
    metadata.OPENAPI: metadata.openapi,
}
PREFIXES = ("/access/", metadata.CONFIGURATION, metadata.OPENAPI)
_REASONS = {
    200: "200 OK", 400: "400 Bad Request", 401: "401 Unauthorized", 403: "403 Forbidden", 404: "404 Not Found",
    405: "405 Method Not Allowed", 413: "413 Content Too Large", 500: "500 Internal Server Error",
    503: "503 Service Unavailable",
}  # fmt: skip


class DecisionApi:
    """``application(environ, start_response)`` for the addresses under ``PREFIXES``."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        status, kind, headers = 200, "application/json", []
        try:
            document = self._handle(request)
        except Problem as problem:
            document = problem.document() | {"request_id": request.request_id}
            status, kind, headers = problem.status, "application/problem+json", [*problem.headers.items()]
        body = orjson.dumps(document)
        headers += [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", self._caching(environ, status)),
            ("X-Request-ID", request.request_id),
        ]
        start_response(_REASONS[status], headers)
        return (body,)

    def _caching(self, environ: dict[str, Any], status: int) -> str:
        """Only what is the same for everybody may be kept: the metadata, unless they speak of the host that was asked."""
        fixed = environ["REQUEST_METHOD"] == "GET" and status == 200 and bool(self.services.public_url)
        return "max-age=60" if fixed else "no-store"

    def _handle(self, request: Request) -> dict[str, Any]:
        path, method = request.environ.get("PATH_INFO", ""), request.environ["REQUEST_METHOD"]
        handler, allowed = (POSTS[path], "POST") if path in POSTS else (GETS.get(path), "GET")
        if handler is None:
            raise Problem(404, "There is nothing at this address.")
        if method != allowed:
            raise Problem(405, f"Use {allowed}.", headers={"Allow": allowed})
        try:
            return handler(request, self.services)
        except CannotDecide as error:
            metrics.CANNOT_DECIDE.inc()
            log.warning("cannot decide: %s", error)
            raise cannot_decide("The decision could not be computed.") from None
        except Problem as problem:
            if problem.status == 503:
                metrics.CANNOT_DECIDE.inc()
            raise
        except Exception:
            metrics.CANNOT_DECIDE.inc()
            log.exception("a question failed")
            raise cannot_decide("The decision could not be computed.") from None
