"""The fixed cast of the founding scenario, in the real database.

The scenario is loaded once for each test database. Ordinary tests run in a transaction that is rolled back; tests with real
transactions, threads or processes take ``committed``, which gives the database back from a template afterwards (the ledger
refuses to be truncated).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client

REFERENCE = "US-2026-06-12"
PASSWORD = "a long demo password"
EXPECTED = json.loads((Path(__file__).parent / "fixtures" / "expected.json").read_text())


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        from governance.enforcement.services.first_start import first_start

        _write_without_waiting()
        first_start(mode="1", password=PASSWORD)
        name = connection.settings_dict["NAME"]
        connections.close_all()
        with _maintenance() as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}_template"')
            admin.execute(f'CREATE DATABASE "{name}_template" TEMPLATE "{name}"')
    yield
    with django_db_blocker.unblock():
        connections.close_all()
        with _maintenance() as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}_template"')


def _write_without_waiting() -> None:
    """The embedded server of the tests need not survive a crash: nothing waits for the disk. An external one is left as it is."""
    if connection.settings_dict["HOST"].startswith(str(settings.DATA_DIR)):
        with _maintenance() as admin:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                admin.execute(f"ALTER SYSTEM SET {name} = off")
            admin.execute("SELECT pg_reload_conf()")


def _maintenance() -> psycopg.Connection:
    database = connection.settings_dict
    return psycopg.connect(
        host=database["HOST"] or None,
        port=database["PORT"] or None,
        user=database["USER"] or None,
        password=database["PASSWORD"] or None,
        dbname="postgres",
        autocommit=True,
    )


@pytest.fixture(autouse=True)
def _django_db_marker(request: pytest.FixtureRequest) -> None:
    """As pytest-django's own, but a test with real commits is not wrapped in a transaction."""
    if request.node.get_closest_marker("django_db") and "committed" not in request.fixturenames:
        request.getfixturevalue("_django_db_helper")


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Real commits; afterwards the database is what it was."""
    from governance.enforcement import policy

    with django_db_blocker.unblock():
        policy.forget()
        try:
            yield
        finally:
            name = connection.settings_dict["NAME"]
            connections.close_all()
            with _maintenance() as admin:
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
                admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{name}_template"')
            policy.forget()


def database_url() -> str:
    """The test database, for processes that a test starts."""
    database = connection.settings_dict
    host = database["HOST"]
    if host.startswith("/"):
        return f"postgresql://{database['USER']}@/{database['NAME']}?host={host}"
    return f"postgresql://{database['USER']}@{host}:{database['PORT'] or 5432}/{database['NAME']}"


@pytest.fixture
def act_as() -> Callable[[str], Any]:
    """``act_as("lucia")`` is the actor of that account."""
    from governance.accounts.actor import Actor
    from governance.accounts.models import User

    return lambda name: Actor.for_user(User.objects.get(username=name))


@pytest.fixture
def machine() -> Any:
    from governance.accounts.actor import Actor

    return Actor.machine("cli:test")


@pytest.fixture
def sign_in(db: None) -> Callable[[str], Client]:
    from governance.accounts.models import User

    def signed_in(name: str) -> Client:
        client = Client()
        client.force_login(User.objects.get(username=name), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in


def put_in_force(act_as: Callable[[str], Any]) -> Any:
    """Submit, approve and activate the scenario's directive, and finish its run."""
    from governance.enforcement.services import lifecycle, runs

    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    done = lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    runs.complete(run_id=done.run.pk, worker="test")
    return done


@pytest.fixture
def in_force(db: None, act_as: Callable[[str], Any]) -> Any:
    """The scenario's directive in force, its run finished."""
    return put_in_force(act_as)


@pytest.fixture
def waived(in_force: Any, act_as: Callable[[str], Any]) -> None:
    """The directive in force, and p009 with a waiver from it for one model capability, of ten days."""
    from governance.enforcement.services.exceptions import file_exception
    from governance.waivers.services import decide_exception

    asked = file_exception(
        actor=act_as("hana"), reference=REFERENCE, person_id="p009", items=[("fable-5", "use")], days=10,
        reason="evaluation",
    )  # fmt: skip
    for name in ("idris", "peter"):
        decide_exception(actor=act_as(name), exception_id=asked.pk, verdict="approve")


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are worked by the tests themselves; messages go nowhere."""
    monkeypatch.setattr("governance.enforcement.tasks._send", lambda run_id: False)


assert settings.TESTING
