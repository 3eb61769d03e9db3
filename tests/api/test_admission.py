"""Slow pages and long searches hold only their own threads of the web server: a decision always finds one."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from governance import wsgi
from governance.accounts.services import create_token
from governance.runtime.admission import PAGES, SEARCHES, THREADS
from tests.wire import Wire, question, services

pytestmark = pytest.mark.django_db


def status_of(path: str) -> str:
    found: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "QUERY_STRING": "",
    }  # fmt: skip
    wsgi.application(environ, lambda status, headers: found.append(status))
    return found[0]


def test_there_are_threads_that_neither_pages_nor_searches_can_take() -> None:
    assert THREADS - PAGES - SEARCHES >= 4


def test_the_page_after_the_last_place_is_refused_at_once_and_places_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, inside = threading.Event(), threading.Semaphore(0)

    def slow(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        inside.release()
        go_on.wait(10)
        if environ["PATH_INFO"] == "/fails":
            raise ValueError("whatever it is, the place comes back")
        start_response("200 OK", [])
        return ()

    monkeypatch.setattr(wsgi, "_django", slow)
    held = [threading.Thread(target=lambda: status_of("/people")) for _ in range(PAGES)]
    for thread in held:
        thread.start()
    for _ in held:
        assert inside.acquire(timeout=10)
    assert status_of("/people").startswith("503")
    assert status_of("/access/v1/evaluation").startswith("405"), "the decision API is not a page"
    go_on.set()
    assert status_of("/healthz/live").startswith("200")
    for thread in held:
        thread.join()
    for _ in range(PAGES + 1):
        with pytest.raises(ValueError, match="place comes back"):
            status_of("/fails")
    assert status_of("/people").startswith("200")


def test_searches_beyond_their_places_are_told_to_come_back_while_decisions_go_on(machine: Any) -> None:
    wire = Wire(services(), create_token(actor=machine, name="gateway", scopes=["decide", "search"]))
    search = question() | {"subject": {"type": "person"}}
    places = wire.services.places
    assert all(places.take() for _ in range(SEARCHES))
    refused = wire.send("/access/v1/search/subject", search)
    assert refused.status_code == 503
    assert refused["Retry-After"] == "1"
    assert wire.send("/access/v1/evaluation", question()).status_code == 200
    for _ in range(SEARCHES):
        places.give_back()
    for _ in range(SEARCHES + 1):
        assert wire.send("/access/v1/search/subject", search).status_code == 200
    assert wire.send("/access/v1/search/subject", {}).status_code == 400
    assert wire.send("/access/v1/search/subject", search).status_code == 200
