"""A program without framework: a pool as the decision API's, the same SQL statement, and a fixed answer.

It asks as anybody would with psycopg: a connection of the pool, ``execute``, ``fetchall``. With ``BARE_ASKS=look_up`` it
asks as the decision API does, past cursors.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
django.setup()

from django.conf import settings  # noqa: E402
from psycopg_pool import ConnectionPool  # noqa: E402

from governance.enforcement.decision import READ_ONE  # noqa: E402
from governance.enforcement.sources import PooledSource, from_django_settings  # noqa: E402

_STATEMENT: str = {"same": READ_ONE, "lookup": "SELECT id FROM people_person WHERE id = %s"}[
    os.environ["BARE_STATEMENT"]
]
_source = PooledSource(
    from_django_settings(settings.DATABASES["default"]), size=settings.DECISION_CONNECTIONS, limit=1.0, title="bare"
)
_pool: ConnectionPool | None = None
_opening = threading.Lock()


def _by_hand(statement: str, key: str) -> list[tuple[Any, ...]]:
    with (_pool or _open()).connection() as link:
        return link.execute(statement, (key,)).fetchall()


def _open() -> ConnectionPool:
    global _pool
    with _opening:
        _pool = _pool or ConnectionPool(
            from_django_settings(settings.DATABASES["default"]), min_size=1, max_size=settings.DECISION_CONNECTIONS,
            kwargs={
                "autocommit": True, "prepare_threshold": 0, "options": "-c jit=off -c plan_cache_mode=force_generic_plan"
            },
        )  # fmt: skip
        return _pool


_ask = _source.look_up if os.environ.get("BARE_ASKS") == "look_up" else _by_hand
_ANSWER = b'{"decision":false,"context":{"id":"01900000-0000-7000-8000-000000000000","reason":{"code":"directive"}}}'
_HEADERS = [
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(_ANSWER))),
    ("Cache-Control", "no-store"),
    ("X-Request-ID", "0"),
]


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    begin = body.index(b'"id":"') + 6  # the person's id, without reading the rest
    _ask(_STATEMENT, body[begin : body.index(b'"', begin)].decode())
    start_response("200 OK", _HEADERS)
    return (_ANSWER,)
