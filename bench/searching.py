"""``search_first_page`` and ``search_walk``: whom a model capability permits, through the API's own application."""

from __future__ import annotations

import io
import re
import statistics
import uuid
from collections.abc import Callable
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from bench.measure import Result, seconds
from governance.accounts.actor import Actor
from governance.accounts.services import create_token
from governance.api.authzen import metadata
from governance.api.authzen.application import DecisionApi
from governance.api.authzen.pages import DEFAULT_LIMIT, MAX_LIMIT
from governance.api.authzen.services import from_settings
from governance.enforcement.sources import PooledSource, from_django_settings

_HEAD = re.compile(rb'"next_token":"([^"]*)","count":(\d+)')
_PLAIN = "SELECT ARRAY(SELECT p.id FROM people_person p WHERE p.id > %s ORDER BY p.id LIMIT %s)"
# Who may use each model while no directive is in force, by hand.
_EVERYONE = """
SELECT ARRAY(SELECT p.id FROM people_person p WHERE p.id > %s AND p.status IN ('active', 'on_leave') ORDER BY p.id LIMIT %s)
"""
_HARDENING = """
SELECT ARRAY(SELECT p.id FROM people_person p LEFT JOIN people_organisation o ON o.id = p.org_id
 WHERE p.id > %s AND p.status IN ('active', 'on_leave') AND (
       (p.kind IN ('employee', 'contractor') AND p.department IN ('Research', 'Trust and Safety'))
       OR (o.type IN ('government', 'partner') AND o.vetting_status = 'vetted'
           AND (o.vetting_expires IS NULL OR o.vetting_expires >= (now() AT TIME ZONE 'UTC')::date)))
 ORDER BY p.id LIMIT %s)
"""


class _Caller:
    """A gateway that searches, without a network between."""

    def __init__(self) -> None:
        self.api = DecisionApi(from_settings())
        self.token = create_token(actor=Actor.machine("cli:bench"), name=f"bench {uuid.uuid4()}", scopes=["search"])

    def page(self, model: str, limit: int, token: str = "") -> tuple[int, str]:
        """How many were found, and the token of the next page. The rest of the answer is the caller's to read."""
        page: dict[str, Any] = {"limit": limit} | ({"token": token} if token else {})
        body = orjson.dumps(
            {
                "subject": {"type": "person"}, "resource": {"type": "model", "id": model}, "action": {"name": "use"},
                "page": page,
            }
        )  # fmt: skip
        environ = {
            "REQUEST_METHOD": "POST", "PATH_INFO": metadata.SEARCH_SUBJECT, "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)), "HTTP_AUTHORIZATION": f"Bearer {self.token}", "HTTP_HOST": "localhost",
            "wsgi.input": io.BytesIO(body),
        }  # fmt: skip
        found = _HEAD.search(b"".join(self.api(environ, lambda status, headers: None)))
        assert found
        return int(found[2]), found[1].decode()

    def walk(self, model: str) -> int:
        count, token = 0, ""
        while True:
            number, token = self.page(model, MAX_LIMIT, token)
            count += number
            if not token:
                return count


def _walk(source: PooledSource, statement: str) -> int:
    count, after = 0, ""
    while ids := source.rows(statement, (after, MAX_LIMIT))[0][0]:
        count, after = count + len(ids), ids[-1]
        if len(ids) < MAX_LIMIT:
            break
    return count


def measure(samples: int) -> list[Result]:
    caller = _Caller()
    connection.close()
    source = PooledSource(from_django_settings(settings.DATABASES["default"]), size=1, limit=60.0, title="bench")
    hand = {"fable-5": _EVERYONE, "mythos-5": _HARDENING}
    walked = {model: caller.walk(model) for model in hand}
    assert walked == {model: _walk(source, statement) for model, statement in hand.items()}, "both find the same people"
    pages, rare, walks, rare_walks = [], [], [], []
    for _ in range(samples):
        plain = _milliseconds(lambda: source.rows(_PLAIN, ("", DEFAULT_LIMIT)))
        pages.append((_milliseconds(lambda: caller.page("fable-5", DEFAULT_LIMIT)), plain))
        rare.append(_milliseconds(lambda: caller.page("mythos-5", DEFAULT_LIMIT)))
        walks.append((seconds(lambda: caller.walk("fable-5")), seconds(lambda: _walk(source, _EVERYONE))))
        rare_walks.append((seconds(lambda: caller.walk("mythos-5")), seconds(lambda: _walk(source, _HARDENING))))
    source.close()
    return [
        Result(
            "search_first_page", "ms (lower is better)", [a for a, _ in pages], [b for _, b in pages],
            f"a plain keyset page of {DEFAULT_LIMIT:,} people; token, JSON and page token included; on a capability that "
            f"few may use {statistics.median(rare):.1f} ms",
        ),
        Result(
            "search_walk", "s (lower is better)", [a for a, _ in walks], [b for _, b in walks],
            f"hand-written SQL in the same pages of {MAX_LIMIT:,}; {walked['fable-5']:,} people found; {walked['mythos-5']:,} "
            f"on a capability that few may use: ratio {statistics.median(a / b for a, b in rare_walks):.2f}",
        ),
    ]  # fmt: skip


def _milliseconds(act: Callable[[], Any], rounds: int = 50) -> float:
    """Of one act in a row of them; the first few find the connection as the act before left it, and are not counted."""
    for _ in range(5):
        act()

    def repeat() -> None:
        for _ in range(rounds):
            act()

    return seconds(repeat) / rounds * 1000
