"""The first start happens once, and gives demo accounts only to a system that has nothing of its own."""

from __future__ import annotations

import pytest
from django.db import connection

from governance.accounts.models import User
from governance.directives.models import Directive
from governance.enforcement.services.first_start import first_start, was_started
from governance.people.models import Person


@pytest.fixture
def empty(committed: None) -> None:
    """A database as migrations leave it."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in connection.introspection.table_names():
            if table.startswith(("accounts_", "people_", "directives_", "catalog_", "ledger_", "waivers_")):
                cursor.execute(f"DELETE FROM {table}")
        cursor.execute("SET session_replication_role = origin")


def test_a_system_started_without_demo_accounts_never_gets_them(empty: None) -> None:
    assert first_start(mode="0", password="").done
    assert was_started()
    for mode in ("1", "accounts"):
        again = first_start(mode=mode, password="")
        assert (again.done, again.password) == (False, None)
    assert not User.objects.exists()


def test_a_system_with_accounts_of_its_own_gets_none_of_ours(empty: None) -> None:
    User.objects.create_user("sam", "lucia.prado@example.com", "a long password of their own")
    assert first_start(mode="1", password="").password is None
    assert list(User.objects.values_list("username", flat=True)) == ["sam"]


def test_the_scenario_comes_with_the_first_start_and_the_password_is_told_then_alone(empty: None) -> None:
    found = first_start(mode="1", password="")
    assert found.done
    assert found.password
    assert User.objects.get(username="lucia").check_password(found.password)
    assert (Person.objects.count(), Directive.objects.count()) == (37, 1)
    assert first_start(mode="1", password="").password is None
