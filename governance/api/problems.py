"""Problem details for HTTP APIs (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any


class Problem(Exception):
    """Ends a request with a problem document. ``detail`` is plain words and never holds what a person's record says.

    ``more`` are members beside those of the RFC, such as the code of the rule that refused.
    """

    def __init__(
        self, status: int, detail: str, *, headers: dict[str, str] | None = None, more: dict[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more or {}

    def document(self) -> dict[str, Any]:
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }


def cannot_decide(why: str) -> Problem:
    """Fail closed: no answer, and when to ask again. A gateway must treat this as a denial."""
    return Problem(503, f"cannot_decide: {why} Treat this as a denial.", headers={"Retry-After": "1"})
