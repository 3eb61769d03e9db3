"""Explanations: what verifying would settle of the whole decision, waivers and grants looked at, and a bound on their time."""

from __future__ import annotations

import html
import io
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from django.conf import settings as settings_of_django
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.accounts.services import create_token
from governance.catalog.models import Audience as StoredAudience
from governance.enforcement import policy as policies
from governance.enforcement.decision import Subject, decide, evaluate
from governance.enforcement.explanation import Explainer, explain_now
from governance.enforcement.permissions import on_file
from governance.enforcement.policy import Audience, CompiledRule, DirectiveRule, ModelCapability, Policy
from governance.enforcement.services.exceptions import file_exception
from governance.enforcement.settling import conditions_of, facts_of, settling
from governance.enforcement.sources import PooledSource, from_django_settings
from governance.people.models import Person
from governance.rules.analysis import Budget
from governance.rules.attributes import SLOTS
from governance.rules.language import Not
from governance.waivers.models import Grant
from tests.conftest import REFERENCE, put_in_force
from tests.extended import examples
from tests.rules.test_analysis import DOMAIN, hard_rule, small
from tests.wire import Wire, question, services

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
BATCH = "/access/v1/evaluations"


@pytest.fixture
def wire(machine: Any) -> Wire:
    return Wire(services(), create_token(actor=machine, name="support", scopes=["decide", "explain"]))


def reason(wire: Wire, *asked: str) -> dict[str, Any]:
    return wire.send("/access/v1/evaluation", question(*asked)).json()["context"]["reason"]


def page(client: Client, person: str, item: str) -> str:
    text = client.get(f"/explain?person={person}&item={item}").content.decode()
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def why(person: str, item: str) -> str:
    out = io.StringIO()
    model, _, capability = item.partition("/")
    call_command("why", "--person", person, "--model", model, "--capability", capability, stdout=out)
    return out.getvalue()


# -- what verifying would settle -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("item", "code", "verifying"),
    [
        ("fable-5/use", "directive_unknown", ["Verifying citizenships would settle this for US-2026-06-12."]),
        ("mythos-5/use", "outside_audience", []),
        ("fable-5/biological-design", "capability_disabled", []),
    ],
)
def test_verification_is_offered_only_where_it_could_change_the_whole_decision(
    item: str, code: str, verifying: list[str], wire: Wire, in_force: Any
) -> None:
    found = reason(wire, "p014", *item.split("/"))
    assert found["code"] == code
    assert [step for step in found["next_steps"] if "erifying" in step] == [
        f"{text} People operations verifies, and a second person confirms what opens access." for text in verifying
    ]


def a_policy(audience: Any, *directives: Any) -> Policy:
    item = ModelCapability(1, "m", "c", True, Audience(1, "everyone", CompiledRule(audience)))
    rules = tuple(
        DirectiveRule(
            directive_id=number, reference=f"D{number}", title="", kind="order", effect="deny", rule=CompiledRule(tree),
            on_unknown=on_unknown, verify_deadline=None, effective_at=None, expires_at=None, waivable="never",
            scope=frozenset([1]),
        )
        for number, (tree, on_unknown) in enumerate(directives)
    )  # fmt: skip
    return Policy(
        epoch=1, model_capabilities={("m", "c"): item}, models=frozenset("m"), capabilities=frozenset("c"),
        directives=rules, catalog=policies.CatalogShape({}, {}),
    )  # fmt: skip


def somebody(facts: dict[str, Any], *, waivers: Any = (), grants: Any = ()) -> Subject:
    whole = dict.fromkeys(SLOTS) | {"person.id": "x", "person.kind": "employee", "person.status": "active"} | facts
    state = tuple(whole[name] for name in SLOTS)
    return Subject((state,), frozenset(waivers), frozenset(grants), 1, NOW)


def permits(policy: Policy, facts: dict[str, Any], **more: Any) -> bool:
    return evaluate(policy, somebody(facts, **more), "m", "c").permit


FREE = ("person.citizenships", "person.protected_status", "person.start_date")


@settings(max_examples=examples(80), deadline=None)
@given(data=st.data())
def test_what_would_settle_a_decision_is_what_trying_every_value_says(data: Any) -> None:
    """Audience and two directives over the small domain, with a waiver or a grant at times."""
    ways = st.sampled_from(["deny", "deny", "verify", "allow"])
    policy = a_policy(data.draw(small), *data.draw(st.lists(st.tuples(small, ways), min_size=1, max_size=2)))
    facts = {name: data.draw(st.sampled_from([None, *DOMAIN[name]])) for name in FREE}
    more = {"waivers": data.draw(st.sampled_from([(), ((0, 1),)])), "grants": data.draw(st.sampled_from([(), (1,)]))}
    decision = evaluate(policy, somebody(facts, **more), "m", "c")
    found = {one.attributes: one.certain for one in _settlings(decision)}
    missing = [name for name in FREE if facts[name] is None]
    if decision.permit:
        assert not found
        return

    def opens(names: Any) -> bool:
        values = product(*[[v for v in DOMAIN[name] if v is not None] for name in names])
        return any(permits(policy, facts | dict(zip(names, each, strict=True)), **more) for each in values)

    assert {names for names in found if len(names) == 1} == {(name,) for name in missing if opens((name,))}
    assert found or not opens(missing)
    for names, certain in found.items():
        assert opens(names)
        if certain:
            for each in product(*[[v for v in DOMAIN[name] if v is not None] for name in names]):
                known = facts | dict(zip(names, each, strict=True))
                then = evaluate(policy, somebody(known, **more), "m", "c")
                outside = then.audience_truth is False and not then.granted
                assert (
                    then.permit or outside or any(one.denies and one.truth and not one.waived for one in then.covering)
                )


def _settlings(decision: Any) -> list[Any]:
    conditions = conditions_of(decision)
    return settling(conditions, facts_of(decision), Budget(60)) if conditions else []


def test_a_directive_on_whoever_is_not_known_is_settled_by_verifying() -> None:
    unknown = {"not": {"attr": "person.citizenships", "op": "known"}}
    policy = a_policy(CompiledRule.of(True).tree, (CompiledRule.of(unknown).tree, "deny"))
    found = _settlings(evaluate(policy, somebody({}), "m", "c"))
    assert [one.text for one in found] == ["Verifying citizenships would settle this for D0."]


def test_of_several_facts_only_those_are_asked_that_are_needed_together() -> None:
    country, status = ({"attr": "person.location_country", "op": "is", "value": "US"}, "person.protected_status")
    tree = {"any": [
        {"not": {"all": [country, {"attr": "person.department", "op": "is", "value": "x"}]}},
        {"all": [country, {"attr": status, "op": "is", "value": True}, {"not": country}]},
    ]}  # fmt: skip
    policy = a_policy(CompiledRule.of(True).tree, (CompiledRule.of(tree).tree, "deny"))
    found = _settlings(evaluate(policy, somebody({}), "m", "c"))
    assert [one.attributes for one in found if one.certain] == [("person.department", "person.location_country")]


# -- waivers and grants looked at ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_waiver_in_force_is_said_to_be_in_force_also_where_nothing_is_left_to_answer(
    wire: Wire,
    in_force: Any,
    waived: None,
    sign_in: Callable[[str], Client],
) -> None:
    Person.objects.filter(pk="p009").update(citizenships=["US"])
    entry = reason(wire)["trace"]["directives"][0]
    assert (entry["denies"], entry["waived"], entry["waiver_in_force"]) == (False, False, True)
    [waiver] = entry["waivers"]
    assert waiver["state"] == "in_force"
    text = page(sign_in("lucia"), "p009", "fable-5/use")
    assert "Waiver from US-2026-06-12 In force, not needed" in text
    assert f"Waiver {waiver['id']}, from exception {waiver['exception']} : in force," in text
    assert "US-2026-06-12 does not apply" in text
    assert f"waiver {waiver['id']} (exception {waiver['exception']})" in why("p009", "fable-5/use")


@pytest.mark.django_db
def test_what_has_ended_or_not_begun_is_listed_and_marked(
    wire: Wire,
    in_force: Any,
    waived: None,
    sign_in: Callable[[str], Client],
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE waivers_waiver SET ended_at = statement_timestamp(), end_reason = 'x'")
        cursor.execute(
            "INSERT INTO waivers_grant (person_id, organisation_id, model_capability_id, starts_at, ends_at, ended_at, reason)"
            " SELECT 'p009', NULL, m.id, now() + s * interval '1 day', now() + s * interval '1 day' + interval '1 day', e, ''"
            " FROM catalog_modelcapability m JOIN catalog_capability c ON c.id = m.capability_id"
            " JOIN catalog_aimodel a ON a.id = m.model_id,"
            " (VALUES (-9, NULL::timestamptz), (5, NULL), (-0.5, now())) v(s, e)"
            " WHERE c.slug = 'use' AND a.slug = 'fable-5'"
        )
    trace = reason(wire)["trace"]
    assert [grant["state"] for grant in trace["grants"]] == ["ended", "not_begun", "ended"]
    assert trace["grant"] is False
    assert [waiver["state"] for waiver in trace["directives"][0]["waivers"]] == ["ended"]
    text, told = page(sign_in("lucia"), "p009", "fable-5/use"), why("p009", "fable-5/use")
    for grant in Grant.objects.all():
        assert f"Grant {grant.pk}, to the person:" in text
        assert f"grant {grant.pk} to the person" in told
    assert "Waiver from US-2026-06-12 None in force" in text
    assert ": not begun," in text
    assert ": ended," in text


@pytest.mark.django_db
def test_a_grant_of_somebody_who_left_is_listed_as_set_aside(wire: Wire, in_force: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO waivers_grant (person_id, model_capability_id, starts_at, ends_at, reason)"
            " SELECT 'p009', id, now() - interval '1 day', now() + interval '1 day', '' FROM catalog_modelcapability"
        )
    assert reason(wire)["trace"]["grants"][0]["state"] == "in_force"
    Person.objects.filter(pk="p009").update(status="departed")
    trace = reason(wire)["trace"]
    assert (trace["grant"], trace["grants"][0]["state"]) == (False, "set_aside")


@pytest.mark.django_db
def test_what_is_not_known_is_not_said_to_be_covered(in_force: Any, sign_in: Callable[[str], Client]) -> None:
    text = page(sign_in("lucia"), "p014", "fable-5/use")
    assert "US-2026-06-12 asks about what is not on record, and denies Decides" in text
    assert "covers" not in text.partition("Step by step")[2].partition("What would change")[0]


# -- one structure -----------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_the_api_and_the_command_say_the_same(
    wire: Wire,
    in_force: Any,
    waived: None,
    act_as: Any,
    sign_in: Callable[[str], Client],
) -> None:
    """People denied for every reason there is, permitted ones, an unknown audience, an exception that waits."""
    asked = file_exception(
        actor=act_as("hana"), reference=REFERENCE, person_id="p010", items=[("fable-5", "use")], days=10, reason="x"
    )
    StoredAudience.objects.filter(slug="everyone").update(
        rule={"attr": "person.location_country", "op": "in", "value": ["US", "CN"]}
    )
    Person.objects.filter(pk__in=["p001", "p014"]).update(location_country=None)
    client, codes, sentences = sign_in("lucia"), set(), []
    for person in ("p001", "p002", "p009", "p010", "p014", "p020"):
        for item in ("fable-5/use", "fable-5/code-review", "mythos-5/use", "fable-5/biological-design"):
            found = reason(wire, person, *item.split("/"))
            text, told = page(client, person, item), why(person, item)
            codes.add(found["code"])
            sentences += found["next_steps"]
            named = Person.objects.select_related("manager").get(pk=person).manager
            for step in found["next_steps"]:
                assert f"Next: {step}" in told.splitlines()
                assert (step.replace(f"{named.pk},", f"{named},") if named else step) in text, (person, item)
            assert told.count("Next: ") == len(found["next_steps"])
            assert found["summary"] in told
            assert found["summary"] in text
            for entry in found["trace"]["directives"]:
                says = f"{entry['reference']} {entry['says']}"
                assert says in told
                assert says in text
                for _, node in _nodes(entry["rule"]):
                    assert node["text"] in text
                    assert node["text"] in told
    assert codes >= {"audience", "waiver", "outside_audience", "capability_disabled", "directive"}
    assert "Verifying country of location would settle this for the audience. " in "\n".join(sentences)
    assert any(step.startswith(f"Exception {asked.pk} from {REFERENCE} waits") for step in sentences)


def _nodes(node: dict[str, Any]) -> list[tuple[None, dict[str, Any]]]:
    return [(None, node), *(found for child in node["children"] for found in _nodes(child))]


@pytest.mark.django_db
def test_an_exception_that_waits_for_something_else_is_not_said_to_permit_this(
    wire: Wire, in_force: Any, act_as: Any
) -> None:
    file_exception(
        actor=act_as("hana"),
        reference=REFERENCE,
        person_id="p010",
        items=[("fable-5", "code-review")],
        days=10,
        reason="x",
    )
    steps = reason(wire, "p010")["next_steps"]
    assert not any("waits" in step for step in steps)
    assert any(step.startswith(f"An exception from {REFERENCE} can be asked for.") for step in steps)


@pytest.mark.django_db
def test_a_grant_is_not_said_to_be_enough_where_a_directive_denies_as_well(wire: Wire, in_force: Any) -> None:
    text = "A grant alone would not do: US-2026-06-12 would still deny."
    assert any(step.startswith(text) for step in reason(wire, "p014", "mythos-5")["next_steps"])
    assert any(step.startswith("A grant would admit") for step in reason(wire, "p001", "mythos-5")["next_steps"])


# -- time --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_batch_takes_a_bounded_time_for_its_explanations_and_says_what_it_left_out(
    wire: Wire, in_force: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = policies.refreshed()
    fact = {"any": [{"attr": "person.department", "op": "is", "value": f"d{n}"} for n in range(90)]}
    hard = replace(base.directives[0], rule=CompiledRule(Not(hard_rule(30))))
    wide = replace(base.directives[0], directive_id=999, reference="WIDE", rule=CompiledRule.of(fact))
    policy = replace(base, directives=(hard, wide))
    monkeypatch.setattr(policies, "current", lambda **_: policy)
    Person.objects.all().update(citizenships=None, permanent_residences=None)
    for person in Person.objects.all():
        Person.objects.filter(pk=person.pk).update(department=person.pk)  # nobody shares a trace
    monkeypatch.setattr("governance.enforcement.explanation.SECONDS", 0.3)
    people = [f"p{1 + n % 37:03}" for n in range(200)]
    body = {"action": {"name": "use"}, "resource": {"type": "model", "id": "fable-5"},
            "evaluations": [{"subject": {"type": "person", "id": person}} for person in people]}  # fmt: skip
    begun = time.monotonic()
    response = wire.send(BATCH, body)
    assert time.monotonic() - begun < 1.5, "the rest is for a busy machine"
    answers = response.json()["evaluations"]
    steps = [step for answer in answers for step in answer["context"]["reason"]["next_steps"]]
    assert "Whether verifying anything would settle this could not be computed in time." in steps


@pytest.mark.django_db
def test_a_rule_that_was_not_traced_in_time_is_left_out_and_said_so(
    in_force: Any, sign_in: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance.enforcement.explanation.SECONDS", -1)
    found = Explainer({}).explain(decide("p009", "fable-5", "use"))
    assert found.trace["directives"][0]["rule"] is None
    assert found.steps, "what needs no search is told"
    assert "not traced: the time for explanations was over" in why("p009", "fable-5/use")
    assert "This rule was not traced" in page(sign_in("lucia"), "p009", "fable-5/use")


@pytest.mark.django_db
def test_people_of_whom_rules_read_the_same_share_their_traces(in_force: Any) -> None:
    explainer = Explainer({})
    one, other = (explainer.explain(decide(person, "fable-5", "use")) for person in ("p014", "p014"))
    assert one.trace["directives"][0]["rule"] is other.trace["directives"][0]["rule"]


@pytest.mark.django_db
def test_a_batch_with_explanations_takes_two_queries(wire: Wire, in_force: Any) -> None:
    body = {"action": {"name": "use"}, "resource": {"type": "model", "id": "fable-5"},
            "evaluations": [{"subject": {"type": "person", "id": f"p{1 + n % 37:03}"}} for n in range(300)]}  # fmt: skip
    wire.send(BATCH, body)
    with CaptureQueriesContext(connection) as captured:
        wire.send(BATCH, body)
    assert len(captured) == 2


@pytest.mark.django_db
def test_the_pool_of_the_decision_api_reads_what_is_on_file_as_pages_do(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    file_exception(
        actor=act_as("hana"), reference=REFERENCE, person_id="p010", items=[("fable-5", "use")], days=10, reason="x"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO waivers_grant (person_id, model_capability_id, starts_at, ends_at, reason)"
            " SELECT 'p010', min(id), now(), now() + interval '1 day', '' FROM catalog_modelcapability"
        )
    pool = PooledSource(from_django_settings(settings_of_django.DATABASES["default"]), size=1, limit=5.0, title="test")
    try:
        found = on_file(["p010", "nobody"], pool)
    finally:
        pool.close()
    assert found == on_file(["p010", "nobody"])
    assert (len(found["p010"].asked), len(found["p010"].grants)) == (1, 1)


@pytest.mark.django_db
def test_what_could_not_be_decided_is_explained_without_the_database() -> None:
    decision = decide("p009", "fable-5", "use")
    undecided = decision._replace(permit=False, code="cannot_decide", model_capability=None, subject=None)
    assert [step.kind for step in explain_now(undecided).steps] == ["again"]
