"""AuthZEN search: the set for which evaluation permits, in pages that keep their order; malformed pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.accounts.services import create_token
from governance.enforcement.decision import evaluate, people_and_policy
from governance.people.models import Person
from tests.extended import examples
from tests.wire import Wire, services

pytestmark = pytest.mark.django_db
SUBJECT, RESOURCE, ACTION = (f"/access/v1/search/{kind}" for kind in ("subject", "resource", "action"))
ITEMS = [("fable-5", "use"), ("mythos-5", "use"), ("fable-5", "code-review")]


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


_COUNTRIES = st.one_of(st.none(), st.lists(st.sampled_from(["US", "CN", "FR", "GB"]), max_size=2, unique=True))
_CHANGES = st.fixed_dictionaries(
    {
        "citizenships": _COUNTRIES,
        "permanent_residences": _COUNTRIES,
        "location_country": st.sampled_from([None, "US", "FR"]),
        "kind": st.sampled_from(["employee", "contractor", "partner", "government", "customer"]),
        "status": st.sampled_from(["active", "on_leave", "departed"]),
    }
)


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_search_is_evaluation_for_everybody_whatever_is_on_record(
    data: Any, wire: Wire, in_force: Any, waived: None
) -> None:
    """Random people, held states, waivers, grants, a derived model: both readings of one policy agree."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT example")
        try:
            for person in data.draw(
                st.lists(st.sampled_from([f"p{n:03}" for n in range(1, 38)]), min_size=3, max_size=6, unique=True)
            ):
                Person.objects.filter(pk=person).update(**data.draw(_CHANGES))
            _hold(cursor, data.draw(st.sampled_from(["p009", "p013", "p020"])), data.draw(_CHANGES))
            _allow(cursor, data)
            if data.draw(st.booleans()):
                cursor.execute("UPDATE waivers_waiver SET ended_at = now() - interval '1 second', end_reason = 'test'")
            for model, capability in ITEMS:
                assert walk(wire, SUBJECT, who(model, capability), limit=11) == permitted(model, capability)
            person = data.draw(st.sampled_from(["p001", "p009", "p013", "p020"]))
            reading, policy = people_and_policy([person])
            for action in ("use", "code-review"):
                body = {
                    "subject": {"type": "person", "id": person},
                    "resource": {"type": "model"},
                    "action": {"name": action},
                }
                wanted = sorted(m for m in policy.models if evaluate(policy, reading.of(person), m, action).permit)
                assert walk(wire, RESOURCE, body) == wanted
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT example")


def _hold(cursor: Any, person: str, change: dict[str, Any]) -> None:
    cursor.execute(
        "INSERT INTO people_heldperson (person_id, kind, status, given_name, family_name, email, title, org_id, proposed_by,"
        " citizenships, permanent_residences, location_country)"
        " SELECT id, %s, %s, given_name, family_name, email, title, org_id, 'test', %s, %s, %s FROM people_person WHERE id = %s",
        [change["kind"], change["status"], change["citizenships"], change["permanent_residences"],
         change["location_country"], person],
    )  # fmt: skip


def _allow(cursor: Any, data: Any) -> None:
    """A grant to a person and one to an organisation, in force or not begun."""
    begins = data.draw(st.sampled_from(["- interval '1 hour'", "+ interval '1 hour'"]))
    cursor.execute(
        "INSERT INTO waivers_grant (person_id, organisation_id, model_capability_id, starts_at, ends_at, reason)"
        f" SELECT p, o, m.id, now() {begins}, now() + interval '2 hours', '' FROM catalog_modelcapability m"
        " JOIN catalog_capability c ON c.id = m.capability_id,"
        " (VALUES (%s::text, NULL::text), (NULL, (SELECT max(id) FROM people_organisation))) who(p, o) WHERE c.slug = 'use'",
        [data.draw(st.sampled_from(["p013", "p020"]))],
    )
