"""Reads of people that every page and every vote makes."""

from __future__ import annotations

import pytest
from django.db import connection

from governance.accounts.models import User
from governance.people import queries
from governance.people.models import Person

pytestmark = pytest.mark.django_db


def test_an_account_is_joined_with_its_person_whatever_the_capitals() -> None:
    user = User.objects.get(username="wei")
    user.email = "WEI.Zhang@Example.COM"
    assert queries.person_of(user) == Person.objects.get(pk="p009")
    user.email = "nobody@example.com"
    assert queries.person_of(user) is None


def test_a_person_is_found_by_address_through_the_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT * FROM people_person WHERE lower(email) = lower('wei.zhang@example.com')")
        assert "person_email" in " ".join(row[0] for row in cursor.fetchall())
    with connection.execute_wrapper(_only_as_the_index_has_it):
        queries.person_of(User.objects.get(username="wei"))


def _only_as_the_index_has_it(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
    assert "UPPER(" not in sql
    if "people_person" in sql:
        assert 'LOWER("people_person"."email") = (LOWER(' in sql or 'LOWER("people_person"."email") = LOWER(' in sql, (
            sql
        )
    return execute(sql, params, many, context)
