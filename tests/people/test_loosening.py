"""No import turns a decision from deny to permit while a directive is in force, whatever the files change together."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.catalog.models import Audience
from governance.enforcement import policy as policies
from governance.enforcement.decision import decide
from governance.enforcement.population import who_can_use
from governance.enforcement.services import runs
from governance.enforcement.services.first_start import SCENARIO
from governance.enforcement.services.people import import_people
from governance.people.models import HeldOrganisation, HeldPerson, Organisation, Person
from tests.extended import examples

pytestmark = pytest.mark.django_db
_SHAPE = list(csv.DictReader(io.StringIO((SCENARIO / "people.csv").read_text())))
_ON_FILE = {row["person_id"]: row for row in _SHAPE}
_ITEMS = [("fable-5", "use"), ("mythos-5", "use"), ("fable-5", "code-review")]


def leaf(attr: str, op: str, value: Any) -> dict[str, Any]:
    return {"attr": attr, "op": op, "value": value}


def put_rules(rule: Any, audience: Any) -> None:
    """Other rules for the directive in force and for every audience, past the triggers that fix a version."""
    Audience.objects.update(rule=audience)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE directives_directiveversion SET rule = %s, expanded_rule = NULL, on_unknown_then = 'deny'"
            " WHERE state = 'in_force'",
            [json.dumps(rule)],
        )
        cursor.execute("UPDATE enforcement_policyepoch SET value = nextval('enforcement_policy_epoch')")
        cursor.execute("SET LOCAL session_replication_role = origin")
    policies.forget()


def people_file(path: Path, rows: dict[str, dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(_SHAPE[0]))
        writer.writeheader()
        writer.writerows(_ON_FILE[person] | changes for person, changes in rows.items())
    return path


def organisations_file(path: Path, rows: dict[str, tuple[str, str, str]]) -> Path:
    lines = ["org_id,name,type,country,parent_org_id,vetting_status,vetting_expires"]
    lines += [
        f"{org},{org},partner,{country},,{vetting},{expires}" for org, (country, vetting, expires) in rows.items()
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def permitted() -> set[tuple[str, str, str]]:
    return {(person, *item) for item in _ITEMS for person in who_can_use(*item) or ()}


ORG_RULE = leaf("org.country", "in", ["CA"])
VETTED = leaf("org.vetting", "is", "vetted")
NEW = {"newco": ("US", "vetted", "2030-01-01")}


@pytest.mark.parametrize(
    ("rule", "audience"), [(ORG_RULE, True), (leaf("org.id", "is", "nowhere"), VETTED)], ids=["rule", "audience"]
)
@pytest.mark.parametrize("exists", [True, False], ids=["known before", "in the same file"])
def test_a_move_to_another_organisation_that_loosens_is_held(
    rule: Any, audience: Any, exists: bool, tmp_path: Path, machine: Any, in_force: Any
) -> None:
    put_rules(rule, audience)
    assert not decide("p029", "mythos-5", "use").permit
    if exists:
        Organisation.objects.create(id="newco", name="N", country="US", vetting_status="vetted")
    report = import_people(
        actor=machine,
        people_file=people_file(tmp_path / "p.csv", {"p029": {"org_id": "newco"}}),
        organisations_file=None if exists else organisations_file(tmp_path / "o.csv", NEW),
    )
    assert report.counts.held == 1
    assert not decide("p029", "mythos-5", "use").permit


def test_a_person_and_their_organisation_that_loosen_only_together_are_held(
    tmp_path: Path, machine: Any, in_force: Any
) -> None:
    put_rules({"any": [ORG_RULE, leaf("person.location_country", "is", "CA")]}, True)
    Person.objects.filter(pk="p029").update(location_country="CA")
    report = import_people(
        actor=machine,
        people_file=people_file(tmp_path / "p.csv", {"p029": {"location_country": "US"}}),
        organisations_file=organisations_file(tmp_path / "o.csv", {"northbank": ("US", "pending", "")}),
    )
    assert report.counts.held == 1
    assert not decide("p029", "fable-5", "use").permit


_COUNTRY = st.sampled_from(["US", "CA", ""])
_VETTING = st.tuples(
    _COUNTRY, st.sampled_from(["vetted", "pending", "none"]), st.sampled_from(["", "2020-01-01", "2090-01-01"])
)
_ORGANISATIONS = ["gridworks", "northbank", "fresh"]
_CHANGE = st.fixed_dictionaries(
    {
        "org_id": st.sampled_from([*_ORGANISATIONS, ""]),
        "location_country": _COUNTRY,
        "citizenships": st.sampled_from(["US", "CN", "none", ""]),
        "status": st.sampled_from(["active", "active", "departed"]),
    }
)
_PEOPLE = ["p001", "p009", "p027", "p029"]
_LEAVES = st.sampled_from(
    [
        ORG_RULE,
        leaf("org.vetting", "in", ["expired", "pending"]),
        leaf("person.location_country", "is", "CA"),
        leaf("person.citizenships", "includes_any", ["CN"]),
        leaf("person.status", "is", "departed"),
    ]
)
_RULE = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        *(st.lists(inner, min_size=2, max_size=2).map(lambda pair, key=key: {key: pair}) for key in ("all", "any")),
    ),
    max_leaves=3,
)


def _columns(change: dict[str, str]) -> dict[str, Any]:
    countries = {"none": [], "": None}.get(change["citizenships"], [change["citizenships"]])
    return {
        "organisation_id": change["org_id"] or None, "location_country": change["location_country"] or None,
        "citizenships": countries, "status": change["status"],
    }  # fmt: skip


def _organisation(drawn: tuple[str, str, str]) -> dict[str, Any]:
    return {"country": drawn[0] or None, "vetting_status": drawn[1], "vetting_expires": drawn[2] or None}


def _set_the_scene(data: Any) -> None:
    """People and organisations on record, with states held already and grants."""
    put_rules(data.draw(_RULE), data.draw(st.one_of(st.just(True), _RULE)))
    for org in _ORGANISATIONS[:2]:
        Organisation.objects.filter(pk=org).update(**_organisation(data.draw(_VETTING)))
        if data.draw(st.booleans()):
            HeldOrganisation.objects.create(
                organisation_id=org, name=org, proposed_by="t", **_organisation(data.draw(_VETTING))
            )
    present = _CHANGE.filter(lambda change: change["org_id"] != "fresh")
    for person in _PEOPLE:
        Person.objects.filter(pk=person).update(**_columns(data.draw(present)))
        if data.draw(st.booleans()):
            HeldPerson.objects.create(
                person_id=person, kind="employee", given_name="A", email=f"{person}@h.example", proposed_by="t",
                **_columns(data.draw(present)),
            )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO waivers_grant (person_id, organisation_id, model_capability_id, starts_at, ends_at, reason)"
            " SELECT p, o, m.id, now() - interval '1 hour', now() + interval '2 hours', '' FROM catalog_modelcapability m,"
            " (VALUES (%s::text, NULL::text), (NULL, %s)) who(p, o)",
            [data.draw(st.sampled_from(_PEOPLE)), data.draw(st.sampled_from(_ORGANISATIONS[:2]))],
        )


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_import_turns_a_decision_from_deny_to_permit(data: Any, tmp_path: Path, machine: Any, in_force: Any) -> None:
    """Random files over random records: people move, organisations appear and change, both at once, on held states."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT example")
        try:
            _set_the_scene(data)
            runs.repair(actor=machine)
            organisations = data.draw(st.dictionaries(st.sampled_from(_ORGANISATIONS), _VETTING, max_size=3))
            known = _CHANGE.filter(lambda change: change["org_id"] != "fresh" or "fresh" in organisations)
            rows = data.draw(st.dictionaries(st.sampled_from(_PEOPLE), known, max_size=4))
            before = permitted()
            report = import_people(
                actor=machine,
                people_file=people_file(tmp_path / "p.csv", rows),
                organisations_file=organisations_file(tmp_path / "o.csv", organisations),
            )
            assert not report.errors, report.errors
            assert permitted() <= before
            assert runs.measure_drift()[0].total == 0
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT example")
            policies.forget()
