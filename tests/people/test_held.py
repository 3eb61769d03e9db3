"""Held changes: a second person decides, what it opens is told beforehand and exactly, and nothing but the decision opens it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.accounts.models import User
from governance.catalog.models import ModelCapability
from governance.enforcement import held
from governance.enforcement import policy as policies
from governance.enforcement.decision import decide as decision
from governance.enforcement.population import who_can_use
from governance.enforcement.services import runs
from governance.enforcement.services.held import decide
from governance.enforcement.services.people import import_people
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger.models import Entry
from governance.people.models import HeldOrganisation, HeldPerson, HeldVerdict, Organisation, Person
from tests.extended import examples
from tests.people.test_loosening import ORG_RULE, _set_the_scene, organisations_file, people_file, put_rules

pytestmark = pytest.mark.django_db


def seen(found: Any) -> str:
    return found.proposed_at.isoformat()


@pytest.fixture
def wei(tmp_path: Path, machine: Any, in_force: Any) -> HeldPerson:
    """A file says that p009 is a citizen of the United States: held, since it would open everything to them."""
    import_people(
        actor=machine, organisations_file=None,
        people_file=people_file(tmp_path / "p.csv", {"p009": {"citizenships": "US"}}),
    )  # fmt: skip
    return HeldPerson.objects.get()


def test_a_second_person_confirms_and_access_opens_at_that_commit(wei: HeldPerson, act_as: Any) -> None:
    assert not decision("p009", "fable-5", "use").permit
    decide(actor=act_as("teo"), what="person", key="p009", verdict="confirm", seen=seen(wei))
    assert decision("p009", "fable-5", "use").permit
    assert not HeldPerson.objects.exists()
    assert runs.measure_drift()[0].total == 0
    entry = Entry.objects.get(action="held_change.confirmed")
    assert (entry.actor, entry.subject) == ("teo", "person:p009")
    assert 'US"' not in entry.record
    assert HeldVerdict.objects.get().decided_by.username == "teo"


def test_a_refused_change_is_gone_and_nothing_opens(wei: HeldPerson, act_as: Any) -> None:
    decide(actor=act_as("peter"), what="person", key="p009", verdict="refuse", seen=seen(wei))
    assert not decision("p009", "fable-5", "use").permit
    assert Person.objects.get(pk="p009").citizenships == ["CN"]
    with pytest.raises(NotFound):
        decide(actor=act_as("teo"), what="person", key="p009", verdict="confirm", seen=seen(wei))


def test_who_proposed_it_whom_it_is_about_and_who_has_no_right_does_not_decide(wei: HeldPerson, act_as: Any) -> None:
    wanted: dict[str, Any] = {"what": "person", "key": "p009", "verdict": "confirm", "seen": seen(wei)}
    for name in ("lucia", "maren", "auditor", "admin", "hana", "wei"):
        with pytest.raises(PermissionRefused):
            decide(actor=act_as(name), **wanted)
    HeldPerson.objects.update(proposed_by="teo")
    with pytest.raises(PermissionRefused, match="You proposed it"):
        decide(actor=act_as("teo"), **wanted)
    User.objects.get(username="wei").groups.set(User.objects.get(username="teo").groups.all())
    with pytest.raises(PermissionRefused, match="about you"):
        decide(actor=act_as("wei"), **wanted)
    with pytest.raises(Invalid):
        decide(actor=act_as("peter"), **(wanted | {"verdict": "perhaps"}))
    with pytest.raises(NotFound):
        decide(actor=act_as("peter"), **(wanted | {"key": "p010"}))
    with pytest.raises(NotFound):
        decide(actor=act_as("peter"), **(wanted | {"what": "role"}))
    assert not HeldVerdict.objects.exists()


def test_the_database_refuses_a_verdict_of_the_proposer_and_of_whom_it_is_about(wei: HeldPerson) -> None:
    HeldPerson.objects.update(proposed_by="teo")
    values: dict[str, Any] = {
        "what": "person", "key": "p009", "confirmed": True, "proposed_by": "teo", "proposed_at": wei.proposed_at,
    }  # fmt: skip
    for name, changes in (
        ("teo", {}),
        ("wei", {}),
        ("peter", {"proposed_by": "somebody else"}),
        ("peter", {"key": "p010"}),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            HeldVerdict.objects.create(decided_by=User.objects.get(username=name), **(values | changes))
    HeldVerdict.objects.create(decided_by=User.objects.get(username="peter"), **values)


def test_a_proposal_that_became_another_is_not_decided_unread(
    wei: HeldPerson, act_as: Any, machine: Any, tmp_path: Path
) -> None:
    import_people(
        actor=machine, organisations_file=None,
        people_file=people_file(tmp_path / "q.csv", {"p009": {"citizenships": "US;CN"}}),
    )  # fmt: skip
    HeldPerson.objects.update(proposed_at="2026-01-01T00:00:00Z")
    with pytest.raises(WrongState, match="has changed"):
        decide(actor=act_as("teo"), what="person", key="p009", verdict="confirm", seen=seen(wei))


def test_what_cannot_be_made_any_more_is_refused_whole(wei: HeldPerson, act_as: Any) -> None:
    HeldPerson.objects.update(email="hana.kimura@example.com")
    with pytest.raises(WrongState, match="somebody else"):
        decide(actor=act_as("teo"), what="person", key="p009", verdict="confirm", seen=seen(wei))
    assert HeldPerson.objects.exists()


def test_a_held_organisation_opens_for_all_its_people_once_confirmed(
    tmp_path: Path, machine: Any, act_as: Any, in_force: Any
) -> None:
    put_rules(ORG_RULE, True)
    import_people(
        actor=machine, people_file=None,
        organisations_file=organisations_file(tmp_path / "o.csv", {"northbank": ("US", "vetted", "")}),
    )  # fmt: skip
    found = HeldOrganisation.objects.get()
    effects = held.of_organisations(["northbank"])["northbank"]
    offered = ModelCapability.objects.filter(enabled=True, audience__isnull=False, model__provider__own=True).count()
    assert (effects.confirmed.decisions, effects.confirmed.people) == (offered, 1)
    assert effects.refused.decisions == 0
    decide(actor=act_as("peter"), what="organisation", key="northbank", verdict="confirm", seen=seen(found))
    assert decision("p029", "fable-5", "use").permit
    assert Organisation.objects.get(pk="northbank").country == "US"


def everything_permitted() -> set[tuple[str, str, str]]:
    items = ModelCapability.objects.filter(enabled=True).values_list("model__slug", "capability__slug")
    return {(person, *item) for item in items for person in who_can_use(*item) or ()}


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), verdict=st.sampled_from(["confirm", "refuse"]))
def test_the_effect_that_is_shown_is_the_one_that_comes(
    data: Any, verdict: str, act_as: Any, machine: Any, in_force: Any
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT example")
        try:
            _set_the_scene(data)
            runs.repair(actor=machine)
            waiting = [("person", row) for row in HeldPerson.objects.all()]
            waiting += [("organisation", row) for row in HeldOrganisation.objects.all()]
            for what, row in waiting:
                effects = (held.of_people if what == "person" else held.of_organisations)([row.pk])[row.pk]
                expected = effects.confirmed if verdict == "confirm" else effects.refused
                before = everything_permitted()
                try:
                    with transaction.atomic():
                        decide(actor=act_as("peter"), what=what, key=row.pk, verdict=verdict, seen=seen(row))
                except PermissionRefused:
                    continue
                opened = everything_permitted() - before
                assert (expected.decisions, expected.people) == (len(opened), len({one[0] for one in opened}))
                assert runs.measure_drift()[0].total == 0
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT example")
            policies.forget()


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_shows_each_with_its_effect_and_no_sensitive_value(
    wei: HeldPerson, sign_in: Callable[[str], Client]
) -> None:
    HeldPerson.objects.update(title="Chief tester")
    shown = sign_in("teo").get("/held/").content.decode()
    opens = held.of_people(["p009"])["p009"].confirmed.decisions
    assert opens > 0
    for words in ("Wei Zhang", f"If confirmed: {opens}", "Citizenships: changed, hidden", "to Chief tester", "Confirm"):
        assert words in shown
    for words in ("China", "United States", ">CN", "CN to"):
        assert words not in shown
    assert "verdict" not in sign_in("auditor").get("/held/").content.decode()
    assert Entry.objects.filter(action="look.list", actor="teo").exists()
    for name, status in (("hana", 403), ("wei", 403), ("maren", 403), ("admin", 403), ("lucia", 200)):
        assert sign_in(name).get("/held/").status_code == status


def test_confirming_on_the_page(wei: HeldPerson, sign_in: Callable[[str], Client]) -> None:
    sent = {"what": "person", "key": "p009", "seen": seen(wei), "verdict": "confirm"}
    assert sign_in("lucia").post("/held/decide", sent).status_code == 403
    assert sign_in("teo").post("/held/decide", sent | {"seen": "x"}).status_code == 409
    assert sign_in("teo").post("/held/decide", sent | {"key": "nobody"}).status_code == 404
    assert sign_in("teo").post("/held/decide", sent).status_code == 302
    assert "Nothing is held" in sign_in("teo").get("/held/").content.decode()


def test_the_page_asks_as_many_questions_for_many_as_for_few(wei: HeldPerson, sign_in: Callable[[str], Client]) -> None:
    client = sign_in("teo")
    counts = []
    for people in (("p010", "p012"), ("p014", "p015", "p016", "p017", "p021", "p022", "p023")):
        HeldPerson.objects.bulk_create(
            HeldPerson(
                person_id=key, kind="employee", status="active", given_name="A", email=f"{key}@held.example",
                citizenships=["US"], proposed_by="cli:test", organisation_id="acme", manager_id="p001",
            )
            for key in people
        )  # fmt: skip
        client.get("/held/")
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/held/").status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]
