"""Lists: filter, sort and keyset pages, all of it in the address, and nothing in an address breaks them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.enforcement.models import Restriction
from governance.people.models import Person
from governance.web.listing import PAGE, Listing, Page, contains, equals
from tests.conftest import REFERENCE

pytestmark = pytest.mark.django_db
LIST = Listing(
    sorts={"name": "family_name", "department": "department", "id": "pk"},
    default="name",
    filters={"q": contains("given_name", "family_name"), "kind": equals("kind")},
)
MANY = 130


@pytest.fixture
def crowd(db: None) -> None:
    """130 more people; names repeat and a third has no department, so that ties and NULLs lie on page borders."""
    Person.objects.bulk_create(
        Person(
            pk=f"c{n:04}", kind="customer", status="active", given_name="Kim", family_name=f"Vane{n % 7}",
            email=f"c{n}@example.com", department=None if n % 3 == 0 else f"Lab {n % 2}",
        )
        for n in range(MANY)
    )  # fmt: skip


def ask(**params: str) -> Page:
    return LIST.page(RequestFactory().get("/", {"kind": "customer", **params}), Person.objects.all())


def forwards(sort: str) -> list[list[str]]:
    pages, page = [], ask(sort=sort)
    while True:
        pages.append([person.pk for person in page.rows])
        if not page.after:
            return pages
        page = ask(sort=sort, after=page.after)


@pytest.mark.parametrize("sort", ["name", "-name", "department", "-department", "id", "-id"])
def test_pages_show_every_row_once_and_the_way_back_is_the_same(sort: str, crowd: None) -> None:
    pages = forwards(sort)
    shown = [pk for page in pages for pk in page]
    assert sorted(shown) == sorted(Person.objects.filter(kind="customer").values_list("pk", flat=True))
    assert len(shown) == len(set(shown))
    assert [len(page) for page in pages[:-1]] == [PAGE] * (len(pages) - 1)
    last = ask(sort=sort)
    while last.after:
        last = ask(sort=sort, after=last.after)
    back = [[person.pk for person in last.rows]]
    while last.before:
        last = ask(sort=sort, before=last.before)
        back.insert(0, [person.pk for person in last.rows])
    assert [pk for page in back for pk in page] == shown


def test_the_opposite_sort_is_the_same_list_reversed(crowd: None) -> None:
    for name in ("name", "department", "id"):
        up, down = forwards(name), forwards(f"-{name}")
        assert [pk for page in up for pk in page] == [pk for page in down for pk in page][::-1]


def test_blank_values_come_last_in_an_ascending_list(crowd: None) -> None:
    departments = [Person.objects.get(pk=pk).department for page in forwards("department") for pk in page]
    assert departments[0] is not None
    assert departments[-1] is None


def test_rows_that_come_and_go_shift_nothing(crowd: None) -> None:
    first = ask(sort="id")
    Person.objects.filter(pk=first.rows[3].pk).delete()
    Person.objects.create(
        pk="aaaa", kind="customer", status="active", given_name="A", family_name="A", email="a@example.com"
    )
    following = ask(sort="id", after=first.after)
    assert following.rows[0].pk > first.rows[-1].pk
    assert not {p.pk for p in following.rows} & {p.pk for p in first.rows}


def test_a_deep_page_begins_in_the_index_and_not_at_the_lists_end(crowd: None) -> None:
    page = ask(sort="name", after=ask(sort="name").after)
    assert page.rows
    with CaptureQueriesContext(connection) as captured:
        ask(sort="name", after=page.after)
    rows = captured[-1]["sql"]
    assert '"family_name" >= ' in rows
    assert "NULLS" not in rows  # the place of NULL is PostgreSQL's own, so that a plain index gives the order


def test_a_page_costs_two_queries_whatever_it_shows(crowd: None, django_assert_num_queries: Any) -> None:
    for params in ({}, {"q": "Vane3"}, {"sort": "-department"}, {"after": ask().after}):
        with django_assert_num_queries(2):
            ask(**params)


def test_filters_add_up_and_the_total_counts_what_fits(crowd: None) -> None:
    page = ask(q="vane3")
    assert page.total == len([n for n in range(MANY) if n % 7 == 3]) == len(page.rows)
    assert page.filters == {"q": "vane3", "kind": "customer"}
    assert ask(q="nobody at all").rows == []


def _cursor(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "*", "é", _cursor([1, 2]), _cursor(["a\x00", "b"]), _cursor(["\ud800", "b"]), _cursor([10**40, 10**40]),
        _cursor(["2026-99-99T00:00:00", 10**30]), _cursor({"a": 1}), _cursor([None, None]), _cursor(["a", ["b", {}]]),
        _cursor(b"[" * 30_000), _cursor(b"\xff\xfe"),
    ],
)  # fmt: skip
def test_a_cursor_that_is_none_never_breaks_a_page(cursor: str, sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    for address, sorts in (
        ("/people/", ("name", "department", "id")), ("/directives/", ("received", "state")), ("/runs/", ("id", "directive")),
        ("/exceptions/", ("filed", "person")), ("/history", ("at",)), (f"/directives/{REFERENCE}/people", ("name",)),
        ("/affected", ("name", "since")),
    ):  # fmt: skip
        for sort in sorts:
            for way in ("after", "before"):
                assert client.get(address, {"sort": sort, way: cursor}).status_code == 200, (address, sort, way)


def test_a_sort_that_is_not_offered_is_the_default(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    for sort in ("citizenships", "-residence_country", "family_name__x", "--name", ""):
        html = client.get("/people/", {"sort": sort}).content.decode()
        assert re.search(r'aria-sort="ascending"><a class="sort plain" href="[^"]*sort=-name', html), sort


def test_headers_say_how_a_list_is_sorted_and_links_turn_it_round(sign_in: Callable[[str], Client]) -> None:
    html = sign_in("lucia").get("/people/", {"sort": "-department", "kind": "employee"}).content.decode()
    assert html.count("aria-sort=") == 1
    assert 'aria-sort="descending"><a class="sort plain" href="?sort=department&amp;kind=employee"' in html


def test_a_filter_keeps_the_sort(sign_in: Callable[[str], Client]) -> None:
    kept = '<input type="hidden" name="sort" value="-department">'
    assert kept in sign_in("lucia").get("/people/", {"sort": "-department"}).content.decode()
    assert 'name="sort"' not in sign_in("lucia").get("/people/").content.decode()


def test_a_managers_long_list_has_a_second_page(
    sign_in: Callable[[str], Client], in_force: Any, act_as: Callable[[str], Any]
) -> None:
    """Its rows have a key of two columns."""
    directive = in_force.version.directive
    people = Person.objects.bulk_create(
        Person(
            pk=f"r{n:03}", kind="employee", status="active", given_name="Kim", family_name="Vane", email=f"r{n}@example.com",
            manager_id=Person.objects.get(email=act_as("hana").user.email).pk,
        )
        for n in range(PAGE + 20)
    )  # fmt: skip
    Restriction.objects.bulk_create(
        Restriction(person=person, directive=directive, version=in_force.version, since=timezone.now())
        for person in people
    )
    client = sign_in("hana")
    for sort in ("name", "-since", "department"):
        first = client.get("/affected", {"sort": sort}).content.decode()
        following = re.search(r'href="(\?[^"]*after=[^"]*)"', first)
        assert following is not None
        second = client.get("/affected" + following[1].replace("&amp;", "&")).content.decode()
        of = re.compile(r"exception-new|person=([\w-]+)&amp;directive")
        one, two = set(of.findall(first)) - {""}, set(of.findall(second)) - {""}
        assert len(one) == PAGE
        assert two
        assert not one & two
