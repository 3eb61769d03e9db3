"""AuthZEN search: the set for which evaluation permits, in pages that keep their order; malformed pages."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from governance.accounts.services import create_token
from governance.api.authzen.search import _as_people
from governance.enforcement import searching
from governance.enforcement.decision import evaluate, people_and_policy
from governance.people.models import Person
from tests.wire import Wire, services

pytestmark = pytest.mark.django_db
SUBJECT, RESOURCE, ACTION = (f"/access/v1/search/{kind}" for kind in ("subject", "resource", "action"))


@pytest.fixture
def wire(machine: Any) -> Wire:
    return Wire(services(), create_token(actor=machine, name="gateway", scopes=["search"]))


def who(model: str = "fable-5", capability: str = "use", **more: Any) -> dict[str, Any]:
    return {
        "subject": {"type": "person"}, "resource": {"type": "model", "id": model}, "action": {"name": capability}, **more,
    }  # fmt: skip


def walk(wire: Wire, path: str, body: dict[str, Any], key: str = "id", limit: int | None = None) -> list[str]:
    found: list[str] = []
    page: dict[str, Any] = {} if limit is None else {"limit": limit}
    while True:
        response = wire.send(path, body | ({"page": page} if page else {}))
        assert response.status_code == 200, response.json()
        answer = response.json()
        assert next(iter(answer)) == "page"
        found += [result[key] for result in answer["results"]]
        token = answer["page"]["next_token"]
        if not token:
            return found
        page = {"token": token}


def permitted(model: str, capability: str) -> list[str]:
    """What evaluation says of everybody."""
    everybody = list(Person.objects.order_by("id").values_list("id", flat=True))
    reading, policy = people_and_policy(everybody)
    return sorted(p for p in everybody if evaluate(policy, reading.of(p), model, capability).permit)


def test_the_three_searches_find_what_evaluation_permits(wire: Wire, in_force: Any) -> None:
    assert walk(wire, SUBJECT, who()) == permitted("fable-5", "use")
    person = {"type": "person", "id": "p001"}
    body = {"subject": person, "resource": {"type": "model"}, "action": {"name": "use"}}
    assert "fable-5" in walk(wire, RESOURCE, body)
    body = {"subject": person, "resource": {"type": "model", "id": "fable-5"}}
    assert "use" in walk(wire, ACTION, body, key="name")
    body["subject"] = {"type": "person", "id": "p009"}
    assert "use" not in walk(wire, ACTION, body, key="name")


def test_an_id_given_for_what_is_searched_is_ignored(wire: Wire) -> None:
    body = who()
    body["subject"]["id"] = "p001"
    assert len(walk(wire, SUBJECT, body)) > 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SUBJECT, who("nothing")), (SUBJECT, who(capability="nothing")), (SUBJECT, who() | {"subject": {"type": "robot"}}),
        (SUBJECT, who() | {"resource": {"type": "file", "id": "fable-5"}}),
        (RESOURCE, {"subject": {"type": "person", "id": "nobody"}, "resource": {"type": "model"}, "action": {"name": "use"}}),
        (RESOURCE, {"subject": {"type": "person", "id": "p001"}, "resource": {"type": "file"}, "action": {"name": "use"}}),
        (RESOURCE, {"subject": {"type": "person", "id": "p001"}, "resource": {"type": "model"}, "action": {"name": "no"}}),
        (ACTION, {"subject": {"type": "person", "id": "p001"}, "resource": {"type": "model", "id": "gpt-5-5"}}),
        (ACTION, {"subject": {"type": "robot", "id": "p001"}, "resource": {"type": "model", "id": "fable-5"}}),
    ],
)  # fmt: skip
def test_what_is_not_known_finds_nothing(path: str, body: dict[str, Any], wire: Wire) -> None:
    answer = wire.send(path, body).json()
    assert (answer["results"], answer["page"]["next_token"]) == ([], "")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"subject": {"type": "person"}}, who() | {"subject": {}}, who() | {"subject": 7}, who() | {"resource": {"type": "model"}},
        who() | {"action": {}}, who(page=None), who(page=7), who(page={"limit": None}), who(page={"limit": -1}),
        who(page={"limit": True}), who(page={"limit": "9"}), who(page={"limit": 1.5}), who(page={"token": None}),
        who(page={"token": 7}), who(page={"token": "x"}), who(page={"token": ""}), who(page={"properties": 7}),
        who(context=7), who(context={"at": "2026-06-12T21:30:00Z"}),
    ],
)  # fmt: skip
def test_a_malformed_search_is_400(body: Any, wire: Wire) -> None:
    assert wire.send(SUBJECT, body).status_code == 400


def test_searching_needs_its_scope(machine: Any) -> None:
    wire = Wire(services(), create_token(actor=machine, name="gateway", scopes=["decide"]))
    assert wire.send(SUBJECT, who()).status_code == 403


@pytest.mark.parametrize("limit", [1, 2, 7, 36, 37, 1000])
def test_pages_put_together_are_the_whole(limit: int, wire: Wire) -> None:
    assert walk(wire, SUBJECT, who(), limit=limit) == permitted("fable-5", "use")
    body = {"subject": {"type": "person", "id": "p001"}, "resource": {"type": "model"}, "action": {"name": "use"}}
    assert walk(wire, RESOURCE, body, limit=limit) == walk(wire, RESOURCE, body)


def test_a_page_of_none_says_only_that_there_are_some(wire: Wire) -> None:
    answer = wire.send(SUBJECT, who(page={"limit": 0})).json()
    assert answer["results"] == []
    assert answer["page"]["next_token"]


def test_a_token_belongs_to_one_search_of_one_client(wire: Wire, machine: Any) -> None:
    token = wire.send(SUBJECT, who(page={"limit": 3})).json()["page"]["next_token"]
    assert wire.send(SUBJECT, who(page={"token": token})).status_code == 200
    assert wire.send(SUBJECT, who(page={"token": token, "limit": 3})).status_code == 200
    assert wire.send(SUBJECT, who(page={"token": token, "limit": 4})).status_code == 400
    assert wire.send(SUBJECT, who("mythos-5", page={"token": token})).status_code == 400
    assert wire.send(SUBJECT, who(page={"token": token[:-2] + "xx"})).status_code == 400
    other = Wire(services(), create_token(actor=machine, name="other", scopes=["search"]))
    assert other.send(SUBJECT, who(page={"token": token})).status_code == 400


def test_a_walk_keeps_its_order_while_people_come_and_go(wire: Wire) -> None:
    before = permitted("fable-5", "use")
    first = wire.send(SUBJECT, who(page={"limit": 5})).json()
    gone, later = before[2], before[8]
    Person.objects.filter(pk__in=[gone, later]).update(kind="customer")
    seen = [r["id"] for r in first["results"]]
    page = first["page"]["next_token"]
    while page:
        answer = wire.send(SUBJECT, who(page={"token": page})).json()
        seen += [r["id"] for r in answer["results"]]
        page = answer["page"]["next_token"]
    assert seen == sorted(set(seen))
    assert set(before) - {gone, later} <= set(seen) <= set(before)
    assert later not in seen or later in permitted("fable-5", "use")


def test_a_later_page_says_that_the_policy_moved(wire: Wire) -> None:
    first = wire.send(SUBJECT, who(page={"limit": 3})).json()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_audience SET slug = slug")
    second = wire.send(SUBJECT, who(page={"token": first["page"]["next_token"]})).json()
    assert second["context"]["changed_since_epoch"] == first["context"]["policy_epoch"]
    assert second["context"]["policy_epoch"] > first["context"]["policy_epoch"]


ODD_IDS = ['a","b', "back\\slash", "back\\", '"', '", "', "ü ✓", "a, b", "plain1", "plain2", "x\u2028y"]


@given(ids=st.lists(st.sampled_from(ODD_IDS) | st.text(min_size=1).filter(lambda t: "\x00" not in t), unique=True, max_size=6),
       limit=st.integers(0, 7))  # fmt: skip
def test_a_page_says_the_same_however_its_ids_are_written(ids: list[str], limit: int) -> None:
    found = searching._page(None, json.dumps(ids[: limit + 1], ensure_ascii=False), limit)  # type: ignore[arg-type]
    assert found.ids == ids[:limit]
    assert (found.count, found.more) == (len(ids[:limit]), len(ids) > limit)
    assert found.last == (ids[:limit] or [""])[-1]
    entities = orjson.loads(orjson.dumps(_as_people(found)))
    assert entities == [{"type": "person", "id": one} for one in ids[:limit]]
