"""Pages of a search (AuthZEN section 8.2): opaque, signed tokens that say where the next page begins.

Ids never change and results are in the order of ids, so a walk meets nobody twice and skips nobody who was permitted
throughout, whatever changes meanwhile. Each page is true of its own moment; its context carries the policy epoch, and the
token the one the walk began with.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from governance.api.authzen.messages import whole_number
from governance.api.problems import Problem

DEFAULT_LIMIT = 1_000
MAX_LIMIT = 10_000
_SALT = b"governance.api.authzen.page"
_SIGNATURE = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Page:
    """Where a page begins (after the id ``after``), how long it is, and the epoch of the walk's first page."""

    limit: int
    after: str
    began: int | None
    asked: str  # the digest of everything that must stay the same

    def next_token(self, last: str, epoch: int, secret: str) -> str:
        values = [self.asked, self.limit, last, self.began or epoch]
        body = orjson.dumps(values)
        return urlsafe_b64encode(_signature(body, secret) + body).decode()


def read_page(document: dict[str, Any], secret: str, *, client_id: int) -> Page:
    """The page asked for. A token that is not ours, or of another search, is malformed (400)."""
    asked = _digest(document, client_id)
    given = document.get("page", {})
    if not isinstance(given, dict):
        raise Problem(400, "page must be an object.")
    limit = whole_number(given.get("limit", DEFAULT_LIMIT))
    if limit is None or limit < 0:
        raise Problem(400, "page.limit must be a whole number, 0 or more.")
    if "properties" in given and not isinstance(given["properties"], dict):
        raise Problem(400, "page.properties must be an object.")
    token = given.get("token")
    if token is None and "token" not in given:
        return Page(min(limit, MAX_LIMIT), "", None, asked)
    if not isinstance(token, str):
        raise Problem(400, "page.token must be text.")
    try:
        same, first_limit, after, began = _verified(token, secret)
    except ValueError:
        raise Problem(400, "page.token is not a token of this search.") from None
    if same != asked or ("limit" in given and min(limit, MAX_LIMIT) != first_limit):
        raise Problem(400, "page.token belongs to another search: entities and page must stay the same.")
    return Page(first_limit, after, began, asked)


def _signature(body: bytes, secret: str) -> bytes:
    """HMAC-SHA-256 (RFC 2104) with a key of its own for this purpose."""
    return hmac.digest(_key(secret), body, "sha256")


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _SALT, "sha256")


def _verified(token: str, secret: str) -> list[Any]:
    """What a token of ours says. Raises ``ValueError`` for any other."""
    given = urlsafe_b64decode(token)
    signature, body = given[:_SIGNATURE], given[_SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(body, secret)):
        raise ValueError("not signed here")
    values: list[Any] = orjson.loads(body)
    return values


def _digest(document: dict[str, Any], client_id: int) -> str:
    entities = {name: document.get(name) for name in ("subject", "resource", "action", "context")}
    if isinstance(entities["context"], dict):
        # A caller who has seen more since may say so on a later page.
        entities["context"] = {k: v for k, v in entities["context"].items() if k != "min_epoch"}
    return hashlib.sha256(orjson.dumps([client_id, entities], option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
