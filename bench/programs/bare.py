"""A program without framework: the same pool and the same SQL statement as the decision API, and a fixed answer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
django.setup()

from django.conf import settings  # noqa: E402

from governance.enforcement.decision import READ_ONE  # noqa: E402
from governance.enforcement.sources import PooledSource, from_django_settings  # noqa: E402

_STATEMENT = {"same": READ_ONE, "lookup": "SELECT id FROM people_person WHERE id = %s"}[os.environ["BARE_STATEMENT"]]
_source = PooledSource(
    from_django_settings(settings.DATABASES["default"]), size=settings.DECISION_CONNECTIONS, limit=1.0, title="bare"
)
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
    _source.rows(_STATEMENT, (body[begin : body.index(b'"', begin)].decode(),))
    start_response("200 OK", _HEADERS)
    return (_ANSWER,)
