"""What surrounds a write and belongs in every ledger entry of it: the id of the request or command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    return _request_id.get()


@contextmanager
def log_context(*, request_id: str) -> Iterator[None]:
    """Entries appended inside carry this request id."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)
